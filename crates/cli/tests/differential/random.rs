//! Random stacks; a failure prints the smallest stack that fails, and the seed that led to it.

use std::env;
use std::hash::{BuildHasher, RandomState};
use std::thread;

use nex_testkit::{Failure, Result, places};
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};

use crate::generate::stacks;
use crate::refusals::Refusals;
use crate::trial;

/// How many stacks are tried when the environment says nothing.
const QUICK: u32 = 40;
const SLOW: u32 = 1000;
/// Variables that say otherwise.
const CASES: &str = "NEX_DIFFERENTIAL_CASES";
const SEED: &str = "NEX_DIFFERENTIAL_SEED";

#[test]
fn random_stacks_mean_what_the_model_and_umoci_say() -> Result<()> {
    try_stacks(number(CASES)?.unwrap_or(QUICK.into()))
}

#[test]
#[ignore = "slow: a thousand stacks, a minute"]
fn a_thousand_random_stacks_mean_what_the_model_and_umoci_say() -> Result<()> {
    try_stacks(number(CASES)?.unwrap_or(SLOW.into()))
}

/// Tries stacks on every processor, each thread with a seed of its own.
fn try_stacks(cases: u64) -> Result<()> {
    if !places::is_root() {
        eprintln!("LEFT OUT: umoci and the loop mount are root's");
        return Ok(());
    }
    let seed = number(SEED)?.unwrap_or_else(new_seed);
    let threads = if number(SEED)?.is_some() { 1 } else { thread::available_parallelism()?.get() as u64 };
    let share = u32::try_from(cases.div_ceil(threads))?;
    let refusals = Refusals::default();
    let results: Vec<Result<()>> = thread::scope(|scope| {
        let start = |index| {
            let refusals = &refusals;
            scope.spawn(move || try_with_seed(share, seed.wrapping_add(index), refusals))
        };
        let running: Vec<_> = (0..threads).map(start).collect();
        running.into_iter().map(|thread| thread.join().expect("a thread panicked")).collect()
    });
    eprintln!("{} stacks\n{}", u64::from(share) * threads, refusals.summary());
    results.into_iter().collect()
}

fn try_with_seed(cases: u32, seed: u64, refusals: &Refusals) -> Result<()> {
    let config = Config {
        cases,
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: None,
        max_shrink_iters: 600,
        ..Config::default()
    };
    let result = TestRunner::new(config).run(&stacks(), |stack| {
        trial::run(stack, refusals).map_err(|failure| TestCaseError::fail(failure.to_string()))
    });
    result.map_err(|error| Failure::new(format!("{error}\nagain with {SEED}={seed} {CASES}={cases}")))
}

fn number(variable: &str) -> Result<Option<u64>> {
    env::var(variable).ok().map(|text| Ok(text.parse()?)).transpose()
}

/// A seed that nobody chose: the standard library keys its hash maps at random.
fn new_seed() -> u64 {
    RandomState::new().hash_one(0)
}
