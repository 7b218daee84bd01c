//! Requests that would take for ever, and how they end.

use std::time::{Duration, Instant};

use hyper::StatusCode;
use tokio::time::sleep;

use crate::chain::Chain;
use crate::client::Connection;
use crate::server::Server;

/// A request for more than anybody will see.
const ENDLESS: Chain = Chain {
    seed: 0,
    rounds: u64::MAX,
};
/// How long its client waits before it leaves.
const PATIENCE: Duration = Duration::from_millis(20);
/// The time between two looks whether the job has ended.
const GLANCE: Duration = Duration::from_millis(1);

/// A client asks, and leaves. Says how long after that its job has ended.
pub(crate) async fn whose_client_leaves(server: &Server) -> Result<Duration, String> {
    let before = server.tally.cancelled();
    let connection = Connection::open(server.address).await?;
    if !connection.ask_and_leave(ENDLESS, PATIENCE).await? {
        return Err("an answer to what has none".to_owned());
    }
    let left = Instant::now();
    while server.tally.cancelled() == before || server.tally.outstanding() > 0 {
        sleep(GLANCE).await;
    }
    Ok(left.elapsed())
}

/// A client asks, and waits. Says how long it took until it was told that the time is over.
pub(crate) async fn that_is_late(server: &Server, deadline: Duration) -> Result<Duration, String> {
    let mut connection = Connection::open(server.address).await?;
    let start = Instant::now();
    let (status, _) = connection.ask(ENDLESS).await?;
    let took = start.elapsed();
    match status {
        StatusCode::GATEWAY_TIMEOUT if took >= deadline => Ok(took),
        _ => Err(format!("{status} after {took:?}")),
    }
}
