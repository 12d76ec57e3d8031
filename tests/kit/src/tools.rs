//! Finds the programs and packages that the tests need, or installs them into the git-ignored `.cache`: from npm here, and
//! from Debian's archive what only that has.

pub use crate::debian::{debian, path_with};
use crate::watch;
use anyhow::{Context as _, Result, bail};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

const ANVIL_VERSION: &str = "1.7.1";
const TRIES: u32 = 3;
/// Between two tries.
pub(crate) const PAUSE: Duration = Duration::from_secs(2);
/// How long a program that fetches or builds something may take.
const LIMIT: Duration = Duration::from_mins(5);

/// An npm package of a fixed version, as a folder of its own.
#[derive(Clone, Debug)]
struct Package {
    name: String,
    version: &'static str,
    /// Whether npm must install what it depends on too; else the package alone is unpacked.
    with_dependencies: bool,
}

/// `anvil`: the one on `$PATH` if there is one, else Foundry's npm package.
pub fn anvil() -> Result<PathBuf> {
    if let Some(found) = on_path("anvil") {
        return Ok(found);
    }
    let system = match env::consts::OS {
        "linux" => "linux",
        "macos" => "darwin",
        other => bail!("Foundry publishes no anvil for {other}; put an `anvil` on $PATH"),
    };
    let machine = match env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => bail!("Foundry publishes no anvil for {other}; put an `anvil` on $PATH"),
    };
    let name = format!("@foundry-rs/anvil-{system}-{machine}");
    let package = Package { name, version: ANVIL_VERSION, with_dependencies: false };
    Ok(package.installed()?.join("bin/anvil"))
}

/// The folder of `solc`, to be `require`d by node.
pub fn solc() -> Result<PathBuf> {
    Package { name: "solc".into(), version: "0.8.37", with_dependencies: true }.installed()
}

/// The folder of the sources of `@openzeppelin/contracts`.
pub fn openzeppelin() -> Result<PathBuf> {
    Package { name: "@openzeppelin/contracts".into(), version: "5.7.0", with_dependencies: false }.installed()
}

/// The folder of `@openzeppelin/merkle-tree`, to be `require`d by node.
pub fn merkle_tree() -> Result<PathBuf> {
    Package { name: "@openzeppelin/merkle-tree".into(), version: "1.0.8", with_dependencies: true }
        .installed()
}

/// The folder of packages with `@stellar/stellar-sdk`, for node's `NODE_PATH`.
pub fn stellar_sdk() -> Result<PathBuf> {
    let package = Package { name: "@stellar/stellar-sdk".into(), version: "15.1.0", with_dependencies: true };
    Ok(package.installed()?.ancestors().nth(2).context("a package in no folder")?.to_owned())
}

/// The folder of the sources of `@chainlink/contracts` (one of its dependencies is a git repository, so it is unpacked
/// without them).
pub fn chainlink() -> Result<PathBuf> {
    Package { name: "@chainlink/contracts".into(), version: "1.5.0", with_dependencies: false }.installed()
}

/// A Chromium, and the folder of the libraries that it needs beside the system's.
#[derive(Clone, Debug)]
pub struct Chromium {
    /// The program.
    pub program: PathBuf,
    /// For `LD_LIBRARY_PATH`.
    pub libraries: Option<PathBuf>,
}

/// Chromium: the one on `$PATH` if there is one, else that of npm's `@sparticuz/chromium`, which has the binary in the
/// package, packed with Brotli; node unpacks it.
pub fn chromium() -> Result<Chromium> {
    const BY_HAND: &str = "install one: apt-get install -y chromium";
    let named = ["chromium", "chromium-browser", "google-chrome", "chrome-headless-shell"];
    if let Some(program) = named.into_iter().find_map(on_path) {
        return Ok(Chromium { program, libraries: None });
    }
    if (env::consts::OS, env::consts::ARCH) != ("linux", "x86_64") {
        bail!("there is no chromium on $PATH; {BY_HAND}");
    }
    let package =
        Package { name: "@sparticuz/chromium".into(), version: "147.0.0", with_dependencies: false };
    let packed = package.installed().context(BY_HAND)?.join("bin");
    let folder = cache()?.join("chromium-147.0.0");
    once(&folder, |draft| {
        let unpack = "const [,from,to]=process.argv,fs=require('fs');\
                      fs.writeFileSync(to,require('zlib').brotliDecompressSync(fs.readFileSync(from)),{mode:0o755})";
        let program = draft.join("chromium");
        run(Command::new("node").args(["-e", unpack]).arg(packed.join("chromium.br")).arg(program))?;
        untar(&packed.join("al2023.tar.br"), draft)
    })
    .context(BY_HAND)?;
    Ok(Chromium { program: folder.join("chromium"), libraries: Some(folder.join("lib")) })
}

/// The workspace's root.
pub(crate) fn workspace() -> Result<PathBuf> {
    let kit = Path::new(env!("CARGO_MANIFEST_DIR"));
    Ok(kit.ancestors().nth(2).context("the kit has no workspace above it")?.to_owned())
}

/// The workspace's git-ignored folder for what is fetched and built once; a clean build does not wipe it.
pub(crate) fn cache() -> Result<PathBuf> {
    Ok(workspace()?.join(".cache"))
}

/// Makes `folder` exist with what `fill` puts into it, once, whatever other processes do at the same time: `fill` gets
/// a folder beside it that is renamed when it succeeds.
pub(crate) fn once(folder: &Path, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    if folder.exists() {
        return Ok(());
    }
    let parent = folder.parent().context("a folder without a parent")?;
    fs::create_dir_all(parent)?;
    let lock = fs::File::create(folder.with_added_extension("lock"))?;
    lock.lock()?;
    if folder.exists() {
        return Ok(());
    }
    let draft = tempfile::tempdir_in(parent)?;
    fill(draft.path())?;
    fs::rename(draft.path(), folder)?;
    Ok(())
}

/// Runs a program to its end; its output is the error when it fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = watch::output_within(command, LIMIT).with_context(|| format!("cannot run `{program}`"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("`{program}` failed ({}): {}", output.status, said.trim());
    }
    Ok(())
}

/// What comes over the network fails now and then: tries it some times.
pub(crate) fn retried(pause: Duration, mut attempt: impl FnMut() -> Result<()>) -> Result<()> {
    let mut tried = 1;
    while let Err(error) = attempt() {
        if tried == TRIES {
            return Err(error.context(format!("failed {TRIES} times")));
        }
        tried += 1;
        thread::sleep(pause);
    }
    Ok(())
}

/// Unpacks a tar file into a folder, compressed by gzip or Brotli as it may be; not every machine has `tar`.
fn untar(file: &Path, folder: &Path) -> Result<()> {
    run(Command::new("node").arg("-e").arg(include_str!("unpack.js")).arg(file).arg(folder))
}

pub(crate) fn on_path(program: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(program)).find(|path| path.is_file())
}

impl Package {
    fn installed(&self) -> Result<PathBuf> {
        self.install(&cache()?, "npm", PAUSE)
    }

    /// The package's folder below `cache`, installed if it is not there; `pause` is what lies between two tries.
    fn install(&self, cache: &Path, npm: &str, pause: Duration) -> Result<PathBuf> {
        let folder = cache.join(self.folder());
        once(&folder, |draft| retried(pause, || self.fetch(draft, npm))).with_context(|| {
            format!(
                "cannot install {}; by hand, in the workspace's root:\n  {}",
                self.spec(),
                self.install_line()
            )
        })?;
        Ok(folder.join(self.inner()))
    }

    fn fetch(&self, draft: &Path, npm: &str) -> Result<()> {
        if self.with_dependencies {
            let install = ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix"];
            return run(Command::new(npm).args(install).arg(draft).arg(self.spec()));
        }
        run(Command::new(npm).args(["pack", "--silent", "--pack-destination"]).arg(draft).arg(self.spec()))?;
        let tarball = draft.join(self.tarball());
        untar(&tarball, draft)?;
        fs::remove_file(tarball)?;
        Ok(())
    }

    fn spec(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }

    fn flat_name(&self) -> String {
        self.name.trim_start_matches('@').replace('/', "-")
    }

    fn tarball(&self) -> String {
        format!("{}-{}.tgz", self.flat_name(), self.version)
    }

    /// Relative to the cache.
    fn folder(&self) -> String {
        format!("npm/{}-{}", self.flat_name(), self.version)
    }

    /// Where the package lies within its folder.
    fn inner(&self) -> PathBuf {
        if self.with_dependencies {
            Path::new("node_modules").join(&self.name)
        } else {
            PathBuf::from("package")
        }
    }

    fn install_line(&self) -> String {
        let (spec, folder, tarball) = (self.spec(), self.folder(), self.tarball());
        if self.with_dependencies {
            format!("npm install --ignore-scripts --no-audit --no-fund --prefix .cache/{folder} {spec}")
        } else {
            format!(
                "mkdir -p .cache/{folder} && npm pack --pack-destination .cache {spec} && \
                 tar -xzf .cache/{tarball} -C .cache/{folder}"
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(with_dependencies: bool) -> Package {
        Package { name: "@a/b".into(), version: "1.2.3", with_dependencies }
    }

    #[test]
    fn a_failed_install_says_what_to_type_and_leaves_nothing() -> Result<()> {
        let cache = tempfile::tempdir()?;
        let lines = [
            "mkdir -p .cache/npm/a-b-1.2.3 && npm pack --pack-destination .cache @a/b@1.2.3 && tar -xzf \
             .cache/a-b-1.2.3.tgz -C .cache/npm/a-b-1.2.3",
            "npm install --ignore-scripts --no-audit --no-fund --prefix .cache/npm/a-b-1.2.3 @a/b@1.2.3",
        ];
        for (with_dependencies, line) in [false, true].into_iter().zip(lines) {
            let package = package(with_dependencies);
            let failed = package.install(cache.path(), "false", Duration::ZERO).err().context("must fail")?;
            let said = format!("{failed:#}");
            assert!(said.contains(line), "{said}");
            assert!(said.contains("failed 3 times"), "{said}");
            assert!(!cache.path().join(package.folder()).exists());
        }
        Ok(())
    }

    #[test]
    fn many_at_once_fill_a_folder_once() -> Result<()> {
        let parent = tempfile::tempdir()?;
        let folder = parent.path().join("tool-1.2.3");
        let filled = std::sync::atomic::AtomicUsize::new(0);
        thread::scope(|scope| {
            let fill = || {
                once(&folder, |draft| {
                    filled.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    Ok(fs::write(draft.join("x"), "x")?)
                })
            };
            let running: Vec<_> = (0..8).map(|_| scope.spawn(fill)).collect();
            running.into_iter().try_for_each(|t| t.join().unwrap_or_else(|_| bail!("panicked")))
        })?;
        assert_eq!(filled.into_inner(), 1);
        assert_eq!(fs::read_to_string(folder.join("x"))?, "x");
        Ok(())
    }
}
