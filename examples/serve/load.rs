//! The load: clients that ask again and again, and some that leave before they are answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use hyper::StatusCode;
use tokio::task::JoinSet;

use crate::chain::{Chain, Digest};
use crate::client::Connection;
use crate::options::Options;
use crate::server::Server;

/// Turns of each server.
const TURNS: u32 = 5;
/// Seeds of the chains, whose answers are computed before.
const SEEDS: u64 = 8;
/// How long a client waits that was refused, before it asks for something else.
const BACK_OFF: Duration = Duration::from_millis(2);
/// How long a client waits that leaves.
const PATIENCE: Duration = Duration::from_millis(1);

/// What is asked of each server.
#[derive(Debug)]
pub(crate) struct Load {
    /// Requests of one turn.
    requests: u32,
    connections: u32,
    /// Of so many requests one is given up; of 0, none.
    leave: u32,
    chains: Vec<(Chain, Digest)>,
}

/// What became of the requests to one server, as its clients see it.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// One for each right answer.
    pub(crate) latencies: Vec<Duration>,
    pub(crate) refused: usize,
    pub(crate) late: usize,
    pub(crate) left: usize,
    /// How long all turns took.
    pub(crate) took: Duration,
}

impl Load {
    pub(crate) fn new(options: &Options) -> Arc<Self> {
        let rounds = options.rounds();
        let chain = |seed| {
            let chain = Chain { seed, rounds };
            (chain, chain.last().expect("nobody cancels it"))
        };
        Arc::new(Self {
            requests: options.requests().div_ceil(TURNS),
            connections: options.connections(),
            leave: options.leave(),
            chains: (0..SEEDS).map(chain).collect(),
        })
    }

    /// Asks for whatever is the turn of `number`.
    async fn request(
        &self,
        number: u32,
        connection: &mut Connection,
        server: &Server,
        seen: &mut Seen,
    ) -> Result<(), String> {
        let (chain, expected) = self.chains[number as usize % self.chains.len()];
        if self.leave > 0 && number % self.leave == self.leave - 1 {
            let leaver = Connection::open(server.address).await?;
            let has_left = leaver.ask_and_leave(chain, PATIENCE).await?;
            seen.left += usize::from(has_left);
            return Ok(());
        }
        let start = Instant::now();
        let (status, answer) = connection.ask(chain).await?;
        match status {
            StatusCode::OK if answer == *expected.to_hex().as_bytes() => {
                seen.latencies.push(start.elapsed());
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                seen.refused += 1;
                tokio::time::sleep(BACK_OFF).await;
            }
            StatusCode::GATEWAY_TIMEOUT => seen.late += 1,
            _ => return Err(format!("{}: {status}, {answer:?}", server.name)),
        }
        Ok(())
    }
}

/// Has each server served in turns; says what its clients have seen.
pub(crate) async fn in_turns(
    load: &Arc<Load>,
    servers: &[Arc<Server>],
) -> Result<Vec<Seen>, String> {
    let mut seen: Vec<_> = servers.iter().map(|_| Seen::default()).collect();
    for turn in 0..TURNS as usize {
        for i in 0..servers.len() {
            // No server always comes after the same other one.
            let i = (turn + i) % servers.len();
            one_turn(load, &servers[i], &mut seen[i]).await?;
        }
    }
    Ok(seen)
}

async fn one_turn(load: &Arc<Load>, server: &Arc<Server>, seen: &mut Seen) -> Result<(), String> {
    let next = Arc::new(AtomicU32::new(0));
    let mut clients = JoinSet::new();
    let start = Instant::now();
    for _ in 0..load.connections {
        let (load, server, next) = (Arc::clone(load), Arc::clone(server), Arc::clone(&next));
        clients.spawn(async move {
            let mut seen = Seen::default();
            let mut connection = Connection::open(server.address).await?;
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= load.requests {
                    return Ok::<_, String>(seen);
                }
                load.request(number, &mut connection, &server, &mut seen)
                    .await?;
            }
        });
    }
    while let Some(client) = clients.join_next().await {
        let client = client.map_err(|error| error.to_string())??;
        seen.latencies.extend(client.latencies);
        seen.refused += client.refused;
        seen.late += client.late;
        seen.left += client.left;
    }
    seen.took += start.elapsed();
    // What still runs in vain is not to slow down the next server.
    while server.tally.outstanding() > 0 {
        tokio::time::sleep(PATIENCE).await;
    }
    Ok(())
}
