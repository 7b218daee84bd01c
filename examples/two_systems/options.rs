//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, value_parser};
use ureq::http::Uri;

use crate::client::Settings;

/// Queries two systems and computes pi at the same time, then compares and merges their catalogues.
///
/// A system is anything that answers GET URL?page=N&size=M (pages count from 1) with
/// {"items": [...], "more": bool}. Every item is an object with an integer "id", unique within the
/// system, and optionally an integer "revision"; its other fields are free.
#[derive(Debug, Parser)]
#[command(name = "two_systems")]
pub(crate) struct Options {
    /// Records that each built-in system serves.
    #[arg(long, value_name = "COUNT", default_value_t = 100_000, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub(crate) records: u32,

    /// What each built-in system waits before it answers, in milliseconds per page.
    #[arg(long, value_name = "MS", default_value_t = 6, value_parser = value_parser!(u64).range(..=60_000))]
    pub(crate) latency_ms: u64,

    /// Seed of the catalogues that the built-in systems serve.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,

    /// Address of a real system to query first, instead of the built-in one.
    #[arg(long, value_name = "URL", requires = "second", value_parser = http_url)]
    pub(crate) first: Option<Uri>,

    /// Address of a real system to query second, instead of the built-in one.
    #[arg(long, value_name = "URL", requires = "first", value_parser = http_url)]
    pub(crate) second: Option<Uri>,

    /// Records to ask for in one page.
    #[arg(long, value_name = "COUNT", default_value_t = 500, value_parser = value_parser!(u32).range(1..=100_000))]
    pub(crate) page: u32,

    /// Pages after which a system that still promises more is given up.
    #[arg(long, value_name = "COUNT", default_value_t = 1_000_000, value_parser = value_parser!(u64).range(1..))]
    pub(crate) max_pages: u64,

    /// Time for one page, from connecting to its last byte, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 10_000, value_parser = value_parser!(u64).range(1..))]
    pub(crate) timeout_ms: u64,

    /// Decimals of pi to compute.
    #[arg(long, value_name = "COUNT", default_value_t = 20_000, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub(crate) digits: u32,

    /// Write the merged set to this file, one JSON object a line, sorted by id.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

impl Options {
    /// How to query a system.
    pub(crate) fn client_settings(&self) -> Settings {
        Settings {
            page_size: self.page,
            max_pages: self.max_pages,
            timeout: Duration::from_millis(self.timeout_ms),
        }
    }

    /// Records that a system will deliver, known only of the built-in ones.
    pub(crate) fn expected_records(&self) -> Option<u64> {
        self.first.is_none().then_some(u64::from(self.records))
    }
}

fn http_url(text: &str) -> Result<Uri, String> {
    const EXPECTED: &str = "expected http://HOST/... or https://HOST/...";
    let url: Uri = text.parse().map_err(|error| format!("{error}"))?;
    let (Some("http" | "https"), Some(authority)) = (url.scheme_str(), url.authority()) else {
        return Err(EXPECTED.to_owned());
    };
    if authority.host().is_empty() {
        return Err(EXPECTED.to_owned());
    }
    // `Uri` takes any port, and reads one out of range as none.
    let (_, port) = authority
        .as_str()
        .rsplit_once(authority.host())
        .unwrap_or_default();
    if !port.is_empty() && authority.port().is_none() {
        return Err(format!("{port:?} is not a port"));
    }
    Ok(url)
}
