//! The library of consoles of boots that failed, each of a real guest. The first lines of a log say how it was made,
//! and
//! what is to be read from it.

use std::fs;
use std::path::Path;

use nex_diagnose::console::{CONSOLE_RULES, Explanation, Known, explain};
use nex_testkit::Result;
use nex_testkit::noise::Random;

/// A recorded console.
struct Log {
    name: String,
    /// The rule of the cause.
    cause: String,
    /// What its words have in them.
    words: String,
    /// The rules of what followed, in their order.
    then: Vec<String>,
    console: Vec<u8>,
}

fn logs() -> Result<Vec<Log>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/logs");
    let mut logs = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let bytes = fs::read(&path)?;
        let mut log = Log {
            name: path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
            cause: String::new(),
            words: String::new(),
            then: Vec::new(),
            console: Vec::new(),
        };
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            let text = String::from_utf8_lossy(line);
            if let Some(cause) = text.strip_prefix("# cause: ") {
                log.cause = cause.trim().to_owned();
            } else if let Some(words) = text.strip_prefix("# words: ") {
                log.words = words.trim().to_owned();
            } else if let Some(then) = text.strip_prefix("# then: ") {
                log.then = then.trim().split(", ").map(str::to_owned).collect();
            } else if !text.starts_with("# ") {
                log.console.extend_from_slice(line);
            }
        }
        logs.push(log);
    }
    logs.sort_by(|one, other| one.name.cmp(&other.name));
    assert!(logs.len() > 50, "only {} logs", logs.len());
    Ok(logs)
}

/// What differs from what is to be read.
fn differs(log: &Log, explanation: &Explanation) -> Option<String> {
    let cause = explanation.cause.as_ref().map_or("none", |symptom| symptom.finding.id);
    let words = explanation.cause.as_ref().map_or("", |symptom| symptom.finding.evidence.as_str());
    let then: Vec<&str> = explanation.others.iter().map(|symptom| symptom.finding.id).collect();
    let right = cause == log.cause && words.contains(&log.words) && then == log.then;
    (!right).then(|| format!("{}: {cause}: {words}; then {then:?}", log.name))
}

#[test]
fn each_log_gives_its_cause_and_what_followed() -> Result<()> {
    let wrong: Vec<String> =
        logs()?.iter().filter_map(|log| differs(log, &explain(&log.console, &Known::default()))).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn the_line_is_the_one_that_tells() -> Result<()> {
    for log in logs()? {
        let explanation = explain(&log.console, &Known::default());
        for symptom in explanation.cause.iter().chain(&explanation.others) {
            let Some(quote) = &symptom.line else { continue };
            let place = usize::try_from(quote.number)? - 1;
            let line = log.console.split(|&byte| byte == b'\n').nth(place).unwrap_or_default();
            let line = String::from_utf8_lossy(line);
            let start: String = quote.text.chars().take_while(|letter| *letter != ' ').collect();
            assert!(line.contains(start.trim_matches(['[', ']'])), "{}: {quote:?} is not in {line:?}", log.name);
        }
    }
    Ok(())
}

/// The same console without times, as with `printk.time=0`; with a VMM's words before each line; as `dmesg --raw`
/// has it;
/// without carriage returns; and with nothing behind the last letter.
#[test]
fn how_a_console_was_kept_does_not_matter() -> Result<()> {
    type Form = (&'static str, fn(&str) -> String);
    const FORMS: [Form; 4] = [
        ("without times", |line| {
            let behind = line.strip_prefix('[').filter(|rest| is_time(rest)).and_then(|rest| rest.split_once("] "));
            behind.map_or_else(|| line.to_owned(), |(_, message)| message.to_owned())
        }),
        ("behind a VMM's words", |line| match line.strip_prefix('[') {
            Some(rest) if is_time(rest) => format!("2026-02-03T04:05:06.789 [vm-1:fc_vcpu 0] {line}"),
            _ => line.to_owned(),
        }),
        ("with levels", |line| if line.starts_with("[ ") { format!("<6>{line}") } else { line.to_owned() }),
        ("without carriage returns", |line| line.trim_end_matches('\r').to_owned()),
    ];
    for log in logs()? {
        for (name, form) in FORMS {
            let text = String::from_utf8_lossy(&log.console).into_owned();
            let changed: Vec<String> = text.split('\n').map(form).collect();
            let explanation = explain(changed.join("\n").trim_end().as_bytes(), &Known::default());
            assert_eq!(differs(&log, &explanation), None, "{name}");
        }
    }
    Ok(())
}

/// Whether a bracket was opened for the kernel's time.
fn is_time(rest: &str) -> bool {
    rest.trim_start().starts_with(|first: char| first.is_ascii_digit())
}

/// A console may end anywhere, and hold anything: nothing panics, and no answer is longer than it must be.
#[test]
fn any_console_is_read() -> Result<()> {
    const MOST_WORDS: usize = 4096;
    let mut random = Random::new(1);
    for log in logs()? {
        for _ in 0..40 {
            let mut console = log.console.clone();
            if console.is_empty() {
                continue;
            }
            let length = console.len();
            console.truncate(random.below(length));
            for _ in 0..random.below(8) {
                let place = random.below(console.len() + 1);
                match random.below(3) {
                    0 => console.truncate(place),
                    1 => console.insert(place, random.byte()),
                    _ => console.extend_from_within(place..),
                }
            }
            let explanation = explain(&console, &Known::default());
            for symptom in explanation.cause.iter().chain(&explanation.others) {
                assert!(symptom.finding.evidence.len() < MOST_WORDS, "{}: {symptom:?}", log.name);
                assert!(!symptom.finding.evidence.contains(char::is_control), "{}: {symptom:?}", log.name);
            }
        }
    }
    Ok(())
}

#[test]
fn the_table_for_people_is_the_table_of_the_code() -> Result<()> {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/console.md"))?;
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| `")).collect();
    let expected: Vec<String> = CONSOLE_RULES
        .iter()
        .map(|rule| format!("| `{}` | {} | {} |", rule.id, format!("{:?}", rule.severity).to_lowercase(), rule.meaning))
        .collect();
    assert_eq!(rows, expected, "docs/console.md differs from the rules");
    Ok(())
}
