//! The parts that run beside the server, none of which may end before it.

use std::collections::HashMap;
use std::future::pending;

use tokio::task::{Id, JoinSet};

/// Tasks by name. Dropping them ends them.
#[derive(Default)]
pub(super) struct Tasks {
    running: JoinSet<()>,
    names: HashMap<Id, &'static str>,
}

impl Tasks {
    /// Starts a task that is not to end by itself.
    pub(super) fn spawn(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let handle = self.running.spawn(task);
        self.names.insert(handle.id(), name);
    }

    /// Waits until one has ended, also by a panic, and tells its name.
    pub(super) async fn ended(&mut self) -> &'static str {
        let id = match self.running.join_next_with_id().await {
            Some(Ok((id, ()))) => id,
            Some(Err(error)) => error.id(),
            None => return pending().await,
        };
        self.names.get(&id).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_task_that_has_ended_is_told_by_its_name() {
        let mut tasks = Tasks::default();
        tasks.spawn("stays", pending());
        tasks.spawn("panics", async { panic!("on purpose") });
        assert_eq!(tasks.ended().await, "panics");
    }
}
