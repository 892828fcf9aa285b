//! What the writer tells those who wait for a commit.

use std::sync::{Arc, Mutex};

use tokio::sync::oneshot;

use crate::error::Result;
use crate::sqlite::readers::locked;

/// Who waits for the answer to a write.
pub(crate) type Reply = oneshot::Sender<Answer>;

/// One who waits, and what it is to be told: the id of the row that it made, or 0.
pub(crate) struct Waiting {
    pub(crate) reply: Reply,
    pub(crate) outcome: Result<i64>,
}

impl Waiting {
    fn tell(self, others: Option<Arc<Others>>) {
        let Self { reply, outcome } = self;
        // A write whose caller has gone away stands all the same.
        let _ = reply.send(Answer { outcome, others });
    }
}

/// The outcome of a write.
pub(crate) struct Answer {
    outcome: Result<i64>,
    others: Option<Arc<Others>>,
}

impl Answer {
    pub(crate) fn outcome(self) -> Result<i64> {
        if let Some(others) = self.others {
            others.tell();
        }
        self.outcome
    }
}

/// The others of the same commit, until somebody tells them.
struct Others(Mutex<Vec<Waiting>>);

impl Others {
    fn tell(&self) {
        let all = std::mem::take(&mut *locked(&self.0));
        for waiting in all {
            waiting.tell(None);
        }
    }
}

/// Answers all writes of a commit. The first to be woken tells the others, on the thread that
/// serves them: woken from here one by one, each would take the processor to be served and give
/// it back. Where that thread has other work, or the first has gone away, they are told from here.
pub(crate) fn all(mut outcomes: impl Iterator<Item = Waiting>) {
    let Some(first) = outcomes.next() else {
        return;
    };
    let others: Vec<Waiting> = outcomes.collect();
    if others.is_empty() {
        return first.tell(None);
    }
    let others = Arc::new(Others(Mutex::new(others)));
    first.tell(Some(Arc::clone(&others)));
    std::thread::yield_now();
    others.tell();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channels(count: i64) -> (Vec<Waiting>, Vec<oneshot::Receiver<Answer>>) {
        let channels = (0..count).map(|number| {
            let (reply, answer) = oneshot::channel();
            let outcome = Ok(number);
            (Waiting { reply, outcome }, answer)
        });
        channels.unzip()
    }

    fn told(answers: Vec<oneshot::Receiver<Answer>>) -> Vec<i64> {
        let told = answers.into_iter().map(|mut answer| {
            let answer = answer.try_recv().expect("an answer");
            answer.outcome().expect("an id")
        });
        told.collect()
    }

    #[test]
    fn each_is_told_its_own_outcome_though_the_first_never_looks() {
        for count in [0, 1, 2, 64] {
            let (waiting, answers) = channels(count);
            all(waiting.into_iter());
            let in_reverse = answers.into_iter().rev().collect();
            let expected: Vec<i64> = (0..count).rev().collect();
            assert_eq!(told(in_reverse), expected);
        }
    }

    #[test]
    fn each_is_told_though_others_have_gone_away() {
        let (waiting, mut answers) = channels(4);
        answers.remove(2);
        answers.remove(0);
        all(waiting.into_iter());
        assert_eq!(told(answers), [1, 3]);
    }
}
