//! Fetching the whole catalogue of one system, page by page.

use std::collections::HashSet;
use std::fmt;
use std::time::Duration;

use ureq::Agent;
use ureq::http::{StatusCode, Uri};
use ureq::tls::{RootCerts, TlsConfig};

use crate::catalogue::{Page, Record};
use crate::progress;

/// A page larger than this many bytes is refused rather than kept in memory.
const MAX_PAGE_BYTES: u64 = 256 << 20;

/// A system to query.
#[derive(Debug)]
pub(crate) struct System {
    pub(crate) name: &'static str,
    pub(crate) url: Uri,
    /// Ours, on loopback: never reached through a proxy.
    pub(crate) built_in: bool,
}

impl System {
    fn page_url(&self, page: u64, size: u32) -> String {
        let separator = if self.url.query().is_some() { '&' } else { '?' };
        format!("{}{separator}page={page}&size={size}", self.url)
    }
}

/// How to query a system.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) page_size: u32,
    pub(crate) max_pages: u64,
    /// For one page, from connecting to its last byte.
    pub(crate) timeout: Duration,
}

/// Everything that a system has.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) records: Vec<Record>,
    pub(crate) pages: u64,
}

/// Fetches every page of `system`, or says which one failed and why.
///
/// Pages come one after the other, since only a page tells whether there is another.
pub(crate) fn fetch(
    system: &System,
    settings: &Settings,
    progress: &progress::Part,
) -> Result<Fetched, Error> {
    progress.start(format_args!("querying {}", system.url));
    let fetched = fetch_pages(system, settings, progress);
    match &fetched {
        Ok(all) => {
            let (records, pages) = (all.records.len(), all.pages);
            progress.finish(format_args!("{records} records in {pages} pages"));
        }
        Err(_) => progress.fail(),
    }
    fetched
}

fn fetch_pages(
    system: &System,
    settings: &Settings,
    progress: &progress::Part,
) -> Result<Fetched, Error> {
    let agent = agent(system, settings);
    let mut records = Vec::new();
    let mut seen = HashSet::new();
    let mut page = 1;
    loop {
        let url = system.page_url(page, settings.page_size);
        let fail = |cause| Error {
            system: system.name,
            page,
            url: url.clone(),
            cause,
        };
        let Page { items, more } = get(&agent, &url).map_err(fail)?;
        if items.is_empty() && more {
            return Err(fail(Cause::EmptyPage));
        }
        if let Some(again) = items.iter().find(|record| !seen.insert(record.id)) {
            return Err(fail(Cause::Duplicate(again.id)));
        }
        progress.advance(items.len() as u64);
        records.extend(items);
        if !more {
            return Ok(Fetched {
                records,
                pages: page,
            });
        }
        if page == settings.max_pages {
            return Err(fail(Cause::TooManyPages(page)));
        }
        page += 1;
    }
}

/// One agent per system: it keeps the connection open between pages.
///
/// It trusts whom the operating system trusts, so that a company's own certificates count.
fn agent(system: &System, settings: &Settings) -> Agent {
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::PlatformVerifier)
        .build();
    let config = Agent::config_builder()
        .tls_config(tls)
        .timeout_global(Some(settings.timeout))
        .http_status_as_error(false);
    let config = if system.built_in {
        config.proxy(None)
    } else {
        config
    };
    config.build().into()
}

fn get(agent: &Agent, url: &str) -> Result<Page<Vec<Record>>, Cause> {
    let mut response = agent.get(url).call().map_err(Cause::Transport)?;
    if response.status() != StatusCode::OK {
        return Err(Cause::Status(response.status()));
    }
    let body = response.body_mut().with_config().limit(MAX_PAGE_BYTES);
    let body = body.read_to_vec().map_err(Cause::Truncated)?;
    serde_json::from_slice(&body).map_err(|error| Cause::Garbage(error, excerpt(&body)))
}

/// The beginning of a body that is not what it should be, fit for one line.
fn excerpt(body: &[u8]) -> String {
    const CHARS: usize = 40;
    let text: String = String::from_utf8_lossy(body).chars().take(CHARS).collect();
    text.escape_debug().collect()
}

/// A query that failed.
#[derive(Debug)]
pub(crate) struct Error {
    system: &'static str,
    page: u64,
    url: String,
    cause: Cause,
}

#[derive(Debug)]
enum Cause {
    /// No answer: refused, reset, timed out, not HTTP, ...
    Transport(ureq::Error),
    Status(StatusCode),
    /// An answer that broke off.
    Truncated(ureq::Error),
    /// Not a page, and how it begins.
    Garbage(serde_json::Error, String),
    EmptyPage,
    Duplicate(u64),
    TooManyPages(u64),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            system,
            page,
            url,
            cause,
        } = self;
        write!(f, "{system}, page {page} ({url}): {cause}")
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transport(error) => write!(f, "no answer: {}", plain(error)),
            Self::Status(status) => write!(f, "answered with status {status}"),
            Self::Truncated(error) => write!(f, "the answer broke off: {}", plain(error)),
            Self::Garbage(error, excerpt) => {
                write!(f, "not a catalogue page: {error}; it begins \"{excerpt}\"")
            }
            Self::EmptyPage => write!(f, "the page is empty, yet more is promised"),
            Self::Duplicate(id) => write!(f, "id {id} came before"),
            Self::TooManyPages(pages) => write!(f, "still more after {pages} pages"),
        }
    }
}

/// What went wrong, without the name of the layer that noticed.
fn plain(error: &ureq::Error) -> &dyn fmt::Display {
    match error {
        ureq::Error::Io(error) => error,
        ureq::Error::Timeout(_) => &"timed out, see --timeout-ms",
        error => error,
    }
}
