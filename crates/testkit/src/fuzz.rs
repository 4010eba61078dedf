//! Fuzzing on the stable compiler: random inputs for a while, from a seed that is printed, and the
//! smallest input that fails. Seconds in the test suite, hours by `tools/fuzz`.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::{Duration, Instant};

/// How long each target is tried, in seconds.
const SECONDS: &str = "POLYPHEMUS_FUZZ_SECONDS";
/// Where to begin; without it somewhere else each time.
const SEED: &str = "POLYPHEMUS_FUZZ_SEED";
const USUAL_SECONDS: u64 = 2;
/// Inputs from one seed.
const CASES: u32 = 64;
/// The longest that one input may take. Generous: the machine is shared, the build unoptimised.
const LONGEST: Duration = Duration::from_secs(20);

/// Gives inputs of `strategy` to `property` until the time is over.
///
/// # Panics
/// An input fails: the smallest that does is shown, with the seed that finds it again.
pub fn fuzz<S: Strategy>(
    target: &str,
    strategy: &S,
    property: impl Fn(S::Value) -> Result<(), TestCaseError>,
) {
    let time = Duration::from_secs(number(SECONDS).unwrap_or(USUAL_SECONDS));
    let first = number(SEED).unwrap_or_else(|| RandomState::new().build_hasher().finish());
    eprintln!("fuzzing {target} for {time:?}, {SEED}={first}");
    let begun = Instant::now();
    let mut seed = first;
    loop {
        let tried = runner(seed).run(strategy, |input| {
            let before = Instant::now();
            property(input)?;
            prop_assert!(before.elapsed() < LONGEST, "it took {:?}", before.elapsed());
            Ok(())
        });
        match tried {
            Ok(()) => {}
            Err(TestError::Fail(why, input)) => panic!(
                "{target} fails: {why}\nthe smallest input found: {input:?}\nfind it again with: \
                 {SEED}={seed} tools/fuzz 1 {target}"
            ),
            Err(TestError::Abort(why)) => panic!("{target} cannot be tried: {why}"),
        }
        seed = seed.wrapping_add(1);
        if begun.elapsed() >= time {
            break;
        }
    }
    let inputs = u64::from(CASES) * seed.wrapping_sub(first);
    eprintln!("fuzzed {target} with {inputs} inputs");
}

fn runner(seed: u64) -> TestRunner {
    let config = Config {
        cases: CASES,
        failure_persistence: None,
        max_shrink_iters: 10_000,
        ..Config::default()
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{variable} is a number, not {text:?}")),
    )
}

/// One thing that happens to bytes on their way.
#[derive(Debug, Clone)]
pub enum Damage {
    Set(prop::sample::Index, u8),
    Flip(prop::sample::Index, u8),
    Insert(prop::sample::Index, Vec<u8>),
    Remove(prop::sample::Index, u16),
    /// What stands at the first place is repeated at the second.
    Copy(prop::sample::Index, prop::sample::Index, u16),
    Cut(prop::sample::Index),
}

/// A few of them, more often none; `words` are what the format knows.
pub fn damages(words: &'static [&'static [u8]]) -> impl Strategy<Value = Vec<Damage>> {
    let at = any::<prop::sample::Index>;
    let word = prop::sample::select(words).prop_map(<[u8]>::to_vec);
    let bytes = prop_oneof![2 => word, 1 => prop::collection::vec(any::<u8>(), 1..8)];
    let damage = prop_oneof![
        3 => (at(), prop_oneof![any::<u8>(), Just(0), Just(0xff)]).prop_map(|(at, byte)| Damage::Set(at, byte)),
        3 => (at(), 0..8u8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        2 => (at(), bytes).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        1 => (at(), 1..600u16).prop_map(|(at, length)| Damage::Remove(at, length)),
        1 => (at(), at(), 1..600u16).prop_map(|(from, to, length)| Damage::Copy(from, to, length)),
        1 => at().prop_map(Damage::Cut),
    ];
    // What is whole gets deepest, and has its faults there.
    prop_oneof![3 => Just(Vec::new()), 2 => prop::collection::vec(damage, 1..4)]
}

/// The bytes after all of it.
pub fn damaged(mut bytes: Vec<u8>, damages: &[Damage]) -> Vec<u8> {
    for damage in damages {
        let length = bytes.len();
        if length == 0 {
            break;
        }
        match damage {
            Damage::Set(at, byte) => bytes[at.index(length)] = *byte,
            Damage::Flip(at, bit) => bytes[at.index(length)] ^= 1 << bit,
            Damage::Insert(at, more) => {
                let at = at.index(length);
                bytes.splice(at..at, more.iter().copied());
            }
            Damage::Remove(at, count) => {
                let at = at.index(length);
                bytes.drain(at..(at + usize::from(*count)).min(length));
            }
            Damage::Copy(from, to, count) => {
                let (from, to) = (from.index(length), to.index(length));
                let part = bytes[from..(from + usize::from(*count)).min(length)].to_vec();
                bytes.splice(to..to, part);
            }
            Damage::Cut(at) => bytes.truncate(at.index(length)),
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_planted_fault_is_found_and_told_with_its_seed() {
        let found = std::panic::catch_unwind(|| {
            fuzz("planted", &any::<u16>(), |number| {
                prop_assert!(number < 50_000, "it is large");
                Ok(())
            });
        });
        let told = *found.unwrap_err().downcast::<String>().unwrap();
        assert!(told.contains("50000") && told.contains(SEED), "{told}");
    }
}
