//! Whether a nursery is cancelled, and who has learned of it.

use hatchery::CancelReason;

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
                let inherits = nest.terms().is_some_and(|terms| !terms.is_shield);
                let is_only_inherited = inherits && nest.causes.is_empty();
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

    /// Whether the nursery may have been cancelled before that time.
    pub(crate) fn may_be_cancelled(&self, nursery: usize, before: Time) -> bool {
        self.reasons(nursery, before).next().is_some()
    }

    /// What people may be told who ask before that time.
    pub(crate) fn reasons(
        &self,
        nursery: usize,
        before: Time,
    ) -> impl Iterator<Item = (CancelReason, bool)> {
        self.outwards(nursery).flat_map(move |id| {
            let causes = self.nests[id].causes.iter();
            let earlier = causes.filter(move |(at, _)| *at < before);
            earlier.map(move |(_, reason)| (*reason, id != nursery))
        })
    }

    /// Whether the nursery had been cancelled at that time.
    pub(crate) fn is_certain(&self, nursery: usize, at: Time) -> bool {
        self.outwards(nursery).any(|id| self.nests[id].certain < at)
    }

    /// A nursery, and those around it.
    pub(crate) fn outwards(&self, nursery: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(Some(nursery), |id| {
            let nest = &self.nests[*id];
            let is_shield = nest.terms().is_some_and(|terms| terms.is_shield);
            nest.parent.filter(|_| !is_shield)
        })
    }
}
