//! `poolctl serve`: the commands by HTTP, for whoever is not at this shell.

use super::face::{Commands, endpoints};
use crate::shell::prelude::*;
use poolctl_serve::{Listen, Server, Settings, Tls};
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;

/// Serve the commands by HTTP, each token what its role may
///
/// It listens on this machine alone, unless TLS or a proxy stands before it. Every command that can be a route is one:
/// GET reads, POST acts, the answer is that of --json. It ends with Ctrl-C or SIGTERM, once requests under way are done.
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
    /// Requests a second that a token may make
    #[arg(long, value_name = "N", default_value = "100")]
    rate: NonZeroU32,
}

/// How the server ended.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ServeOutput {
    /// Where it listened.
    address: String,
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
        let json = session.options.json;
        let told = url.clone();
        let ready = move || {
            let _ = if json {
                Console::tell(&Line { url: told })
            } else {
                Console::emit(&format!("listening on {told}"))
            };
            // Where no service manager waits for it, nobody hears.
            let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
        };
        let served = runtime.block_on(poolctl_serve::serve(
            Arc::new(server),
            Listen { socket, tls },
            &session.call.stop,
            ready,
        ));
        runtime.shutdown_timeout(std::time::Duration::from_secs(1));
        served?;
        Ok(Outcome::of(ServeOutput { address: url }).streamed())
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

impl Present for ServeOutput {
    fn present(&self, page: &mut Page) {
        page.line("the server has ended");
    }
}
