//! The registry: a command is one line of a group's table, and from that line come its place on the command line, what runs
//! it, its schema, its completions and its manual page.

/// A table of commands. `Name(Args) = "its words": Output;` is a command: clap's struct, which has a `run`, and what it writes
/// with `--json`; `| Other` where that may be something else too, `=> Line` where it may be a stream of such lines, `= get(…)` or `= post(…)` how
/// it is had by HTTP, if it is.
/// `#[command(subcommand)] Name(module::Command) in module;` is a group with a table of its own.
macro_rules! commands {
    (
        $(#[$meta:meta])*
        $name:ident {
            $(
                $(#[cfg($cfg:meta)])? $(#[command($kind:ident)])? $variant:ident($args:ty)
                $(in $group:ident)?
                $(= $($words:literal: $output:ty $(| $other:ty)* $(=> $line:ty $(| $more:ty)*)? $(= $route:expr)?),+)?;
            )*
        }
    ) => {
        #[derive(Debug, clap::Subcommand)]
        $(#[$meta])*
        pub enum $name {
            $( $(#[cfg($cfg)])? $(#[command($kind)])? $variant($args), )*
        }

        impl $name {
            pub fn run(self, session: &$crate::shell::session::Session) -> base::Result<$crate::output::Outcome> {
                match self {
                    $( $(#[cfg($cfg)])? Self::$variant(command) => command.run(session), )*
                }
            }
        }

        /// What these commands write with `--json`, in their order.
        pub fn contracts() -> Vec<$crate::output::Contract> {
            let mut all = Vec::new();
            $( $(#[cfg($cfg)])? {
                $( all.extend($group::contracts()); )?
                $( $( all.push($crate::output::Contract::of::<$output>($words)
                    $(.or::<$other>())* $(.lines::<$line>()$(.lines::<$more>())*)? $(.route($route))?); )+ )?
            } )*
            all
        }
    };
}

pub(crate) use commands;
