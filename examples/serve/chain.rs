//! What a request asks for: a hash of a hash of a hash.

use hatchery::Cancelled;

pub(crate) type Digest = blake3::Hash;

/// Rounds between two looks whether the answer is still wanted: some 5 us.
const STRIDE: u64 = 64;

/// What a request asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chain {
    pub(crate) seed: u64,
    /// How many hashes there are.
    pub(crate) rounds: u64,
}

impl Chain {
    /// Where the answer is to be had.
    pub(crate) fn path(self) -> String {
        format!("/chain/{}/{}", self.seed, self.rounds)
    }

    /// The other way round.
    pub(crate) fn of_path(path: &str) -> Option<Self> {
        let (seed, rounds) = path.strip_prefix("/chain/")?.split_once('/')?;
        Some(Self {
            seed: seed.parse().ok()?,
            rounds: rounds.parse().ok()?,
        })
    }

    /// The last hash, unless somebody cancels the job that this is called in.
    pub(crate) fn last(self) -> Result<Digest, Cancelled> {
        let mut digest = blake3::hash(&self.seed.to_le_bytes());
        for round in 0..self.rounds {
            if round % STRIDE == 0 {
                hatchery::checkpoint()?;
            }
            digest = blake3::hash(digest.as_bytes());
        }
        Ok(digest)
    }
}
