//! A server on loopback: `GET /chain/SEED/ROUNDS`.
//!
//! A client that leaves ends its connection. Then hyper drops the future of its request, and that future owns the job.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

use crate::chain::Chain;
use crate::tally::Tally;
use crate::ways::{Way, Why};

/// How long the server waits after it could not accept a connection, since it has too many.
const BACK_OFF: Duration = Duration::from_millis(10);

/// A server that runs until its runtime ends.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    pub(crate) tally: Arc<Tally>,
}

/// What all requests of a server share.
struct Handler {
    way: Way,
    /// What a request may take.
    deadline: Duration,
    tally: Arc<Tally>,
}

impl Server {
    /// Starts a server on a free port.
    pub(crate) async fn start(way: Way, deadline: Duration) -> io::Result<Arc<Self>> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let tally = Arc::new(Tally::default());
        let server = Self {
            name: way.name(),
            address: listener.local_addr()?,
            tally: Arc::clone(&tally),
        };
        let handler = Arc::new(Handler {
            way,
            deadline,
            tally,
        });
        tokio::spawn(accept(listener, handler));
        Ok(Arc::new(server))
    }
}

async fn accept(listener: TcpListener, handler: Arc<Handler>) {
    loop {
        match listener.accept().await {
            Ok((socket, _)) => {
                tokio::spawn(serve(socket, Arc::clone(&handler)));
            }
            Err(_) => tokio::time::sleep(BACK_OFF).await,
        }
    }
}

async fn serve(socket: TcpStream, handler: Arc<Handler>) {
    let service = service_fn(|request| {
        let handler = Arc::clone(&handler);
        async move { Ok::<_, Infallible>(handler.respond(request.uri().path()).await) }
    });
    // Answers are small, and not to be held back for larger ones. If it fails, they come later.
    let _ = socket.set_nodelay(true);
    let connection = http1::Builder::new().serve_connection(TokioIo::new(socket), service);
    // Its error says that the client has left.
    let _ = connection.await;
}

impl Handler {
    async fn respond(&self, path: &str) -> Response<Full<Bytes>> {
        let deadline = Instant::now() + self.deadline;
        let (status, text) = match Chain::of_path(path) {
            None => (StatusCode::NOT_FOUND, "expected /chain/SEED/ROUNDS".into()),
            Some(chain) => match self.way.answer(chain, deadline, &self.tally).await {
                Ok(digest) => (StatusCode::OK, digest.to_string()),
                Err(Why::Full) => (StatusCode::SERVICE_UNAVAILABLE, "too many requests".into()),
                Err(Why::Late) => (StatusCode::GATEWAY_TIMEOUT, "it takes too long".into()),
                Err(Why::Broken) => (StatusCode::INTERNAL_SERVER_ERROR, "it has failed".into()),
            },
        };
        let mut response = Response::new(Full::from(text));
        *response.status_mut() = status;
        response
    }
}
