//! Who has learned that a nursery is cancelled.

use crate::facts::{Facts, NestFacts, Role, Told};
use crate::seen::Outcome;
use crate::world::Time;

/// Until the library tells only the task that asks: a guest that asks may tell whatever task waits on
/// its thread.
const GUESTS_TELL_OTHERS: bool = true;

impl<'p> Facts<'p> {
    /// Completes who was told: so far, those who have asked were.
    pub(crate) fn tell(&mut self) {
        let guests_told = self.tasks.iter().any(|guest| {
            let mut opened = self.opened_by(guest.task.id);
            guest.role == Role::Guest
                && (guest.told == Told::Yes
                    || opened.any(|(nest, to)| self.may_be_cancelled(nest.nest.id, to)))
        });
        for id in 0..self.tasks.len() {
            let facts = &self.tasks[id];
            let Some((ended, _)) = &facts.ended else {
                continue;
            };
            let mut told = facts.told;
            if GUESTS_TELL_OTHERS && guests_told && self.may_be_cancelled(facts.nursery, *ended) {
                told = told.max(Told::Perhaps);
            }
            for (nest, to) in self.opened_by(id) {
                let was_cancelled =
                    |(from, _, _): &(Time, Time, Outcome)| self.is_certain(facts.nursery, *from);
                let is_only_inherited = nest.terms().is_some() && nest.causes.is_empty();
                if is_only_inherited && nest.opened.as_ref().is_some_and(was_cancelled) {
                    told = Told::Yes;
                } else if self.may_be_cancelled(facts.nursery, to) {
                    told = told.max(Told::Perhaps);
                }
            }
            self.tasks[id].told = told;
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
