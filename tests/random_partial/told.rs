//! Who has learned that a nursery is cancelled.

use crate::facts::{Facts, NestFacts, Told};
use crate::seen::Outcome;
use crate::world::Time;

impl<'p> Facts<'p> {
    /// Completes who was told: so far, those who have asked were.
    pub(crate) fn tell(&mut self) {
        for id in 0..self.tasks.len() {
            let facts = &self.tasks[id];
            if facts.ended.is_none() {
                continue;
            }
            let (mut told, mut told_as_error) = (facts.told, facts.told_as_error);
            for (nest, to) in self.opened_by(id) {
                let was_cancelled =
                    |(from, _, _): &(Time, Time, Outcome)| self.is_certain(facts.nursery, *from);
                let is_only_inherited = nest.terms().is_some() && nest.causes.is_empty();
                if is_only_inherited && nest.opened.as_ref().is_some_and(was_cancelled) {
                    (told, told_as_error) = (Told::Yes, Told::Yes);
                } else if self.may_be_cancelled(facts.nursery, to) {
                    told = told.max(Told::Perhaps);
                    told_as_error = told_as_error.max(Told::Perhaps);
                }
            }
            self.tasks[id].told = told;
            self.tasks[id].told_as_error = told_as_error;
        }
    }

    /// The nurseries that a task has opened, and when they ended.
    fn opened_by(&self, task: usize) -> impl Iterator<Item = (&NestFacts<'p>, Time)> {
        let own = self
            .nests
            .iter()
            .filter(move |nest| nest.opener == Some(task));
        own.filter_map(|nest| Some((nest, nest.opened.as_ref()?.1)))
    }
}
