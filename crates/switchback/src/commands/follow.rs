//! Runs an operation while a display shows its events.

use std::sync::{Arc, Mutex};

use switchback_core::event::Event;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::{
    context::Context,
    operate::{downtime::Downtime, drive::Follow},
};

/// Shows events as they come.
#[derive(Debug)]
pub(crate) struct Follower {
    downtime: Arc<Mutex<Downtime>>,
    task: tokio::task::JoinHandle<()>,
}

impl Follower {
    /// Begins to show what is sent to the returned sender.
    pub(crate) fn begin(context: &Context) -> (Self, UnboundedSender<Event>) {
        let (sender, mut receiver) = unbounded_channel::<Event>();
        let downtime = Arc::new(Mutex::new(Downtime::default()));
        let mut display = context.printer.display();
        let folded = Arc::clone(&downtime);
        let task = tokio::spawn(async move {
            while let Some(event) = receiver.recv().await {
                if let Ok(mut downtime) = folded.lock() {
                    downtime.fold(&event);
                }
                display.on_event(&event);
            }
        });
        (Self { downtime, task }, sender)
    }

    /// Waits until everything that was sent is shown.
    pub(crate) async fn end(self) {
        // A display that panicked has already said so.
        drop(self.task.await);
    }
}

impl Follow for Follower {
    fn downtime(&self) -> Downtime {
        self.downtime.lock().map(|it| it.clone()).unwrap_or_default()
    }
}
