//! `poolctl man`: manual pages, made from the commands' own help.

use crate::shell::cli;
use crate::shell::prelude::*;
use base::Exit;
use base::files::{self, Access};
use clap::Command;
use clap_mangen::roff::{Roff, roman};
use std::io;
use std::path::{Path, PathBuf};

/// What makes an apostrophe of an apostrophe.
const PREAMBLE: &str = ".ie \\n(.g .ds Aq \\(aq\n.el .ds Aq '\n";

/// Print the manual page of a command, or write the pages of all
///
/// Without COMMAND it is the page of poolctl itself. To read one: poolctl man pool list | man -l -
#[derive(Debug, Args)]
#[command(
    before_help = "Example: poolctl man pool list | man -l -\n         poolctl man --output ~/.local/share/man/man1"
)]
pub struct Man {
    /// The command, or a group of commands
    #[arg(value_name = "COMMAND", conflicts_with = "output")]
    words: Vec<String>,
    /// Write the pages of all commands into this folder, as poolctl-pool-list.1
    #[arg(long, value_name = "FOLDER")]
    output: Option<PathBuf>,
}

/// Manual pages.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ManOutput {
    /// One by one.
    pub pages: Vec<PageView>,
}

/// A manual page.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PageView {
    /// The file's name: `poolctl-pool-list.1`.
    pub name: String,
    /// Where it was written; null where it was printed.
    pub path: Option<PathBuf>,
    /// The page, as roff; null where it was written to a file.
    pub text: Option<String>,
}

impl Man {
    pub fn run(self, _session: &Session) -> Result<Outcome> {
        if let Some(folder) = self.output {
            let folder = App::absolute(&folder)?;
            let failed = |e: io::Error| {
                Error::new(Code::Io, format!("cannot write manual pages into {}: {e}", folder.display()))
            };
            std::fs::create_dir_all(&folder).map_err(failed)?;
            let mut pages = Vec::new();
            write_all(&cli::find(&[])?, true, &folder, &mut pages).map_err(failed)?;
            return Ok(Outcome::of(ManOutput { pages }));
        }
        let (name, text) = page(&cli::find(&self.words)?, self.words.is_empty())
            .map_err(|e| Error::new(Code::Bug, format!("the page cannot be made: {e}")))?;
        Ok(Outcome::of(ManOutput { pages: vec![PageView { name, path: None, text: Some(text) }] }))
    }
}

fn write_all(command: &Command, is_root: bool, folder: &Path, pages: &mut Vec<PageView>) -> io::Result<()> {
    let (name, text) = page(command, is_root)?;
    let path = folder.join(&name);
    files::write(&path, Access::Shared, |out| out.write_all(text.as_bytes()))?;
    pages.push(PageView { name, path: Some(path), text: None });
    command.get_subcommands().try_for_each(|inner| write_all(inner, false, folder, pages))
}

/// The name and the text of a command's page.
fn page(command: &Command, is_root: bool) -> io::Result<(String, String)> {
    // The options of all commands stand in poolctl(1), and once is enough.
    let own =
        command.clone().mut_args(|arg| if arg.is_global_set() && !is_root { arg.hide(true) } else { arg });
    let has_options = own.get_arguments().any(|arg| !arg.is_hide_set());
    let has_commands = own.has_subcommands();
    let example = command.get_before_help().map(ToString::to_string).unwrap_or_default();
    let man = clap_mangen::Man::new(own);
    let name = man.get_filename();
    let mut text = Vec::new();
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    if has_options {
        man.render_options_section(&mut text)?;
    }
    if has_commands {
        man.render_subcommands_section(&mut text)?;
    }
    let mut more = Roff::default();
    more.control("SH", ["EXAMPLES"]).control("nf", []);
    for line in example.lines() {
        more.text([roman(line.trim_start_matches("Example: ").trim_start())]);
    }
    more.control("fi", []);
    if is_root {
        more.control("SH", ["EXIT STATUS"]);
        for exit in Exit::ALL {
            more.control("TP", []).text([roman(exit.code().to_string())]).text([roman(meaning(*exit))]);
        }
    } else {
        more.control("SH", ["SEE ALSO"]);
        more.text([roman("poolctl(1) has the options that every command takes, and the exit codes.")]);
    }
    more.to_writer(&mut text)?;
    let body = String::from_utf8(text).map_err(io::Error::other)?;
    // Each section begins with the same definitions; one page needs them once.
    let body = ascii(&body.replace(PREAMBLE, ""));
    let title = name.trim_end_matches(".1");
    // No date: the same program gives the same page.
    let head = format!(".TH {title} 1 \"\" \"poolctl {}\" poolctl\n", env!("CARGO_PKG_VERSION"));
    Ok((name, format!("{PREAMBLE}{head}{body}")))
}

/// What an exit code means.
const fn meaning(exit: Exit) -> &'static str {
    match exit {
        Exit::Done => r#"done; also "nothing to do" and "already done""#,
        Exit::Failed => "failed",
        Exit::Usage => "wrong usage or bad input; nothing was sent or written",
        Exit::Partial => "partly done: some items failed, each is named",
        Exit::Refused => {
            "refused: needs --yes, or a guard (breaker, wrong network, a withdrawal that does not validate) says no"
        }
        Exit::Found => "a check found something, or there is no valid price",
        Exit::Locked => "held by another run: the pools, a farm, an account, or the state",
        Exit::KeyStore => "the key store could not be unlocked",
        Exit::Transient => {
            "transient: endpoints unreachable or rate limited, or other runs kept changing what was decided from: try again"
        }
        Exit::Unknown => "outcome unknown: a transaction was sent and not yet seen",
    }
}

/// Every other character by its number, which each formatter knows.
fn ascii(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |text, c| {
        if c.is_ascii() {
            text + c.encode_utf8(&mut [0; 4])
        } else {
            format!("{text}\\[u{:04X}]", u32::from(c))
        }
    })
}

impl Present for ManOutput {
    fn present(&self, page: &mut Page) {
        for PageView { path, text, .. } in &self.pages {
            match (text, path) {
                (Some(text), _) => page.line(text),
                (None, Some(path)) => page.line(path.display()),
                (None, None) => page,
            };
        }
    }
}
