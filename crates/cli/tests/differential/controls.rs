//! The run is seen to find mistakes: a model with one rule wrong never lasts long.

use nex_testkit::{Result, places};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};

use crate::compare;
use crate::generate::stacks;
use crate::model::{self, Mistake};
use crate::stack::Stack;
use crate::trial::{self, Outcome, Trial};

/// The seed of these tests, so that they ask for the same stacks each time.
const SEED: u64 = 1;
/// The most stacks that may pass before every mistake is found.
const STACKS: u32 = 500;
/// The most members that a shrunken stack may have.
const SMALL: usize = 5;

fn runner(cases: u32) -> TestRunner {
    let seed = RngSeed::Fixed(SEED);
    TestRunner::new(Config { cases, rng_seed: seed, failure_persistence: None, ..Config::default() })
}

#[test]
fn what_nex_makes_of_random_stacks_contradicts_every_mistaken_model() -> Result<()> {
    if !places::is_root() {
        eprintln!("LEFT OUT: the loop mount is root's");
        return Ok(());
    }
    let mut runner = runner(STACKS);
    let mut undiscovered = Mistake::ALL.to_vec();
    for _ in 0..STACKS {
        if undiscovered.is_empty() {
            return Ok(());
        }
        let mut stack = stacks().new_tree(&mut runner).expect("stacks can be made").current();
        let right = trial::settled(&mut stack);
        // Stacks to which a mistake makes no difference need no image.
        let matters = |mistake: &Mistake| model::flatten(&stack, Some(*mistake)).as_ref() != Ok(&right);
        if !undiscovered.iter().any(matters) {
            continue;
        }
        let Outcome::Accepted(ours) = Trial::new(&stack)?.build()? else { continue };
        undiscovered.retain(|mistake| match model::flatten(&stack, Some(*mistake)) {
            Ok(wrong) => compare::ours(&wrong, ours.clone()).is_ok(),
            Err(_) => false,
        });
    }
    assert!(undiscovered.is_empty(), "{STACKS} stacks show nothing of {undiscovered:?}");
    Ok(())
}

#[test]
fn a_stack_that_shows_a_mistake_shrinks_to_a_few_members() {
    for mistake in Mistake::ALL {
        let result = runner(4 * STACKS).run(&stacks(), |mut stack: Stack| {
            let right = trial::settled(&mut stack);
            let same = model::flatten(&stack, Some(mistake)).as_ref() == Ok(&right);
            if same { Ok(()) } else { Err(TestCaseError::fail("differs")) }
        });
        let Err(TestError::Fail(_, mut smallest)) = result else { panic!("{mistake:?} is not found") };
        trial::settled(&mut smallest);
        let count = smallest.members().count();
        assert!(count <= SMALL, "{mistake:?} takes {count} members: {smallest:?}");
    }
}
