//! The blocks of a page, and the commands in them.

use nex_testkit::{Failure, Result};

/// What a comment in front of a block says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mark {
    /// It is not run here, for this reason.
    NotRun(String),
    /// It is the content of a file of the session.
    File(String),
    /// It is the content of a file of the project.
    From(String),
}

/// A fenced block.
#[derive(Debug)]
pub struct Block {
    /// The line of the page on which its text begins, from 1 on.
    pub line: usize,
    /// The word behind the fence.
    pub language: String,
    /// Its lines.
    pub text: Vec<String>,
    /// What is said in front of it.
    pub mark: Option<Mark>,
}

/// A command, and what it prints.
#[derive(Debug, PartialEq, Eq)]
pub struct Step {
    /// The line of the page on which it stands.
    pub line: usize,
    /// The command, perhaps of several lines.
    pub command: String,
    /// What it prints, in shape.
    pub expected: Vec<String>,
}

const FENCE: &str = "```";

/// The blocks of a page in their order.
pub fn blocks(page: &str) -> Result<Vec<Block>> {
    let mut found: Vec<Block> = Vec::new();
    let mut mark = None;
    let mut is_open = false;
    for (number, line) in page.lines().enumerate() {
        match (line.strip_prefix(FENCE), is_open) {
            (Some(_), true) => is_open = false,
            (Some(language), false) => {
                is_open = true;
                let language = language.trim().to_owned();
                found.push(Block { line: number + 2, language, text: Vec::new(), mark: mark.take() });
            }
            (None, true) => found.last_mut().into_iter().for_each(|block| block.text.push(line.to_owned())),
            (None, false) if line.trim().is_empty() => {}
            (None, false) => mark = said(line),
        }
    }
    if is_open {
        return Err(Failure::new("the last block has no end"));
    }
    Ok(found)
}

/// What a line says about the block behind it.
fn said(line: &str) -> Option<Mark> {
    let comment = line.trim().strip_prefix("<!--")?.strip_suffix("-->")?.trim();
    let (kind, rest) = comment.split_once(": ")?;
    let rest = rest.trim().to_owned();
    match kind {
        "not run" => Some(Mark::NotRun(rest)),
        "file" => Some(Mark::File(rest)),
        "from" => Some(Mark::From(rest)),
        _ => None,
    }
}

impl Block {
    /// Whether it is a session with a shell.
    pub fn is_session(&self) -> bool {
        self.language == "console"
    }

    /// The commands of a session.
    pub fn steps(&self) -> Result<Vec<Step>> {
        let mut steps: Vec<Step> = Vec::new();
        let mut goes_on = false;
        for (number, line) in self.text.iter().enumerate() {
            if let Some(command) = line.strip_prefix("$ ") {
                steps.push(Step { line: self.line + number, command: command.to_owned(), expected: Vec::new() });
                goes_on = true;
                continue;
            }
            let Some(step) = steps.last_mut() else {
                return Err(Failure::new(format!(
                    "line {}: {line:?} stands in front of any command",
                    self.line + number
                )));
            };
            match line.strip_prefix("> ").or((line == ">").then_some("")) {
                Some(more) if goes_on => step.command = format!("{}\n{more}", step.command),
                _ => {
                    goes_on = false;
                    step.expected.push(line.clone());
                }
            }
        }
        Ok(steps)
    }
}

#[test]
fn a_session_is_read() -> Result<()> {
    let page = "Text.\n\n<!-- not run: needs KVM -->\n\n```console\n$ cat <<E\n> a\n>\n> E\na\n> b\n$ true\n```\n\n<!-- file: x -->\n```sh\n$ y\n```\n";
    let [session, file] = &blocks(page)?[..] else { panic!("not two blocks") };
    assert_eq!((session.line, session.is_session()), (6, true));
    assert_eq!(session.mark, Some(Mark::NotRun("needs KVM".to_owned())));
    let steps = session.steps()?;
    assert_eq!(steps.len(), 2);
    assert_eq!((steps[0].command.as_str(), steps[0].line), ("cat <<E\na\n\nE", 6));
    assert_eq!(steps[0].expected, ["a", "> b"]);
    assert_eq!((steps[1].command.as_str(), steps[1].line, steps[1].expected.len()), ("true", 12, 0));
    assert_eq!((file.is_session(), &file.mark), (false, &Some(Mark::File("x".to_owned()))));
    Ok(())
}

#[test]
fn what_is_no_page_is_refused() -> Result<()> {
    assert!(blocks("```console\n$ true\n").is_err());
    assert!(blocks("```console\noutput\n```\n")?[0].steps().is_err());
    // A comment belongs to what follows at once.
    assert_eq!(blocks("<!-- file: x -->\ntext\n```sh\n```\n")?[0].mark, None);
    Ok(())
}
