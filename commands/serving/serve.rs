//! `poolctl serve`: the commands by HTTP, for whoever is not at this shell.

use super::face::{Commands, endpoints};
use crate::farming::farm::run::Run;
use crate::shell::prelude::*;
use app::Document;
use app::farming::run::RunOutput;
use poolctl_serve::{Listen, Server, Settings, Tls};
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Serve the commands by HTTP, each token what its role may
///
/// It listens on this machine alone, unless TLS or a proxy stands before it. Every command that can be a route is one:
/// GET reads, POST acts, the answer is that of --json. It ends with Ctrl-C or SIGTERM, once requests under way are done; with
/// --farm once the farm's best nonces are submitted too.
#[derive(Debug, Args)]
#[command(
    before_help = "Example: poolctl serve\n         poolctl serve --listen 0.0.0.0:3000 --tls-cert chain.pem --tls-key key.pem"
)]
pub struct Serve {
    /// Address and port; a port of 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3000")]
    listen: SocketAddr,
    /// Certificate chain, PEM
    #[arg(long, value_name = "PATH", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Key of the certificate, PEM, which only its owner may read
    #[arg(long, value_name = "PATH", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// A proxy stands before it, does TLS, and says in X-Forwarded-For who asks
    #[arg(long, conflicts_with = "tls_cert")]
    behind_proxy: bool,
    /// Let requests move value where the profile asks (mainnet)
    #[arg(long)]
    yes_value: bool,
    /// Run the farm too, as farm run does, with --yes where that asks; the end of the one is that of the other
    #[arg(long)]
    farm: bool,
    /// Requests a second that a token may make
    #[arg(long, value_name = "N", default_value = "100")]
    rate: NonZeroU32,
}

/// How the server ended.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ServeOutput {
    /// Where it listened.
    address: String,
    /// What the farm did; null where it was not run too.
    farm: Option<RunOutput>,
}

/// The line that says that it listens.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "type", rename = "listening")]
pub struct Line {
    /// Where.
    url: String,
}

/// Connections that wait to be taken.
const WAITING: i32 = 4_096;

/// A chain of certificates is never larger, bytes.
const MOST: u64 = 1024 * 1024;

impl Serve {
    pub fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        // A state that cannot be read is told of now.
        app.read()?;
        let tls = self.tls(session)?;
        if !self.listen.ip().is_loopback() && tls.is_none() && !self.behind_proxy {
            let why = format!("--listen {}: tokens would go over the network in the clear", self.listen);
            return Err(Error::new(Code::InvalidValue, why)
                .hint("give --tls-cert and --tls-key, or --behind-proxy where a proxy does TLS"));
        }
        allow_connections();
        let socket = self.socket()?;
        let broken = |e: std::io::Error| Error::new(Code::Io, format!("the server cannot listen: {e}"));
        let address = socket.local_addr().map_err(broken)?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{address}");
        let (endpoints, written, definitions) = endpoints()?;
        let commands = Commands {
            options: session.options.clone(),
            env: session.env.clone(),
            run: session.call.run.clone(),
            state: app.state_path.clone(),
            agreed: self.yes_value,
            written,
        };
        app.close();
        let settings = Settings { rate: self.rate, behind_proxy: self.behind_proxy };
        let version = env!("CARGO_PKG_VERSION");
        let run = &session.call.run.id;
        let server = Server::new(Box::new(commands), endpoints, definitions, settings, version, run);
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let runtime = runtime.map_err(broken)?;
        let (json, stop) = (session.options.json, &session.call.stop);
        let beside = self.farm.then(|| session.beside(state::runs::FARM));
        let (served, farmed) = std::thread::scope(|scope| {
            let mut farm = None;
            let ready = || {
                let _ = if json {
                    Console::tell(&Line { url: url.clone() })
                } else {
                    Console::emit(&format!("listening on {url}"))
                };
                // Where no service manager waits for it, nobody hears.
                let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
                farm = beside.as_ref().map(|beside| {
                    scope.spawn(|| {
                        let farmed = Run::beside(beside);
                        stop.flag().store(true, Ordering::Relaxed);
                        farmed
                    })
                });
            };
            let listen = Listen { socket, tls };
            let served = runtime.block_on(poolctl_serve::serve(Arc::new(server), listen, stop, ready));
            runtime.shutdown_timeout(Duration::from_secs(1));
            // One that cannot listen any more farms no longer either.
            stop.flag().store(true, Ordering::Relaxed);
            let broken = |_| Err(Error::new(Code::Bug, "the farm's thread broke off"));
            (served, farm.map(|farm| farm.join().unwrap_or_else(broken)))
        });
        if let Some(beside) = &beside {
            beside.call.take_warnings().into_iter().for_each(|warning| session.call.warn(warning));
            beside.call.take_fault().into_iter().for_each(|fault| session.call.fault(fault));
        }
        let farm = farmed.transpose();
        served?;
        Ok(Outcome::document(ServeOutput { address: url, farm: farm? }).streamed())
    }

    fn tls(&self, session: &Session) -> Result<Option<Tls>> {
        let (Some(certificates), Some(key)) = (&self.tls_cert, &self.tls_key) else { return Ok(None) };
        let unreadable = |e| Error::new(Code::Io, format!("cannot read {}: {e}", certificates.display()));
        let folder = session.env.get("CREDENTIALS_DIRECTORY").map(PathBuf::from);
        let key = app::private_text("the key", key, folder.as_deref(), Code::Io)?;
        let certificates = base::files::read(certificates, MOST).map_err(unreadable)?;
        Ok(Some(Tls { certificates, key: key.to_vec() }))
    }

    /// That of the service manager, where it opened one.
    fn socket(&self) -> Result<TcpListener> {
        let given = listenfd::ListenFd::from_env().take_tcp_listener(0);
        if let Ok(Some(socket)) = given {
            return Ok(socket);
        }
        let broken = |e: std::io::Error| {
            Error::new(Code::Io, format!("cannot listen on {}: {e}", self.listen))
                .hint("another server may be there; choose another port with --listen")
        };
        let socket = TcpListener::bind(self.listen).map_err(broken)?;
        // Of those who come at once, more wait than by default.
        rustix::net::listen(&socket, WAITING).map_err(|e| broken(e.into()))?;
        Ok(socket)
    }
}

/// Each connection is an open file, of which a process may often have fewer than it might.
fn allow_connections() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Where that is not allowed, there are fewer connections.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

impl Document for ServeOutput {
    fn failure(&self) -> Option<Error> {
        self.farm.as_ref().and_then(Document::failure)
    }

    fn warnings(&self) -> &[String] {
        self.farm.as_ref().map(Document::warnings).unwrap_or_default()
    }
}

impl Present for ServeOutput {
    fn present(&self, page: &mut Page) {
        if let Some(farm) = &self.farm {
            farm.present(page);
        }
        page.line("the server has ended");
    }
}
