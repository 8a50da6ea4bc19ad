//! Tells when files in a directory may have changed.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;

/// A change is several directory events, and two files written in place are never written at once.
/// The kubelet's own swap is through in milliseconds, a tool that writes both files in well under this.
const SETTLE: Duration = Duration::from_millis(200);

/// Watches a directory, not its files: the kubelet replaces a symlink beside them, and a watch on a file ends with the
/// file. Without a watch the poll alone follows, which is slower but as sure.
pub(crate) struct DirectoryChanges {
    changed: Arc<Notify>,
    poll: Duration,
    _watcher: Option<RecommendedWatcher>,
}

impl DirectoryChanges {
    /// Begins to watch; `poll` is how often something may have changed even if nothing announced it.
    pub(crate) fn of(directory: &Path, poll: Duration) -> Self {
        let changed = Arc::new(Notify::new());
        let notified = Arc::clone(&changed);
        let on_event = move |event: notify::Result<notify::Event>| match event {
            // Reading the files is an event too, and no change.
            Ok(event) if event.kind.is_access() => {}
            Ok(_) | Err(_) => notified.notify_one(),
        };
        let watching = notify::recommended_watcher(on_event).and_then(|mut watcher| {
            watcher.watch(directory, RecursiveMode::NonRecursive)?;
            Ok(watcher)
        });
        let watcher = watching.inspect_err(|error| {
            tracing::warn!(
                %error, directory = %directory.display(), "the directory cannot be watched; it is read at intervals only"
            );
        });
        Self { changed, poll, _watcher: watcher.ok() }
    }

    /// Waits until something may have changed.
    pub(crate) async fn next(&self) {
        tokio::select! {
            () = tokio::time::sleep(self.poll) => {}
            () = self.changed.notified() => tokio::time::sleep(SETTLE).await,
        }
    }
}
