//! A server as a process: its start, its processor time and memory, its end.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::processor;

/// How long a server may take until it answers.
const START_MAX: Duration = Duration::from_secs(180);
const STOP_MAX: Duration = Duration::from_secs(20);

/// A running server; ended, with all that it started, when it goes out of scope.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) processors: Processors,
    /// From the start of the process until it took a connection.
    pub(crate) start: Duration,
}

/// Where a server may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Processors {
    /// On one, while the client has the other.
    One,
    /// On all of the machine.
    All,
}

impl Server {
    /// Starts Carafe as in production, with its log in a file of `folder`.
    pub(crate) fn carafe(
        binary: &Path,
        folder: &Path,
        options: &[&str],
        processors: Processors,
    ) -> Result<Self> {
        Self::carafe_in(binary, folder, options, processors, |program| {
            Command::new(program)
        })
    }

    /// The same, within another program that `outer` makes a command of.
    pub(crate) fn carafe_in(
        binary: &Path,
        folder: &Path,
        options: &[&str],
        processors: Processors,
        outer: impl Fn(&Path) -> Command,
    ) -> Result<Self> {
        Self::start(processors, |port| {
            let mut command = outer(binary);
            command.args(["serve", "--env", "production", "--port", &port.to_string()]);
            command.args(options).arg(folder);
            // A key that was made up for this.
            command.env("SECRET_KEY", "c2VjcmV0IG9mIGEgYmVuY2htYXJrIG9ubHkhISEhISE5");
            command.current_dir(folder);
            command
        })
    }

    /// Starts what `command` makes for a free port, and waits until it takes connections.
    ///
    /// Of the environment it has what `command` says, and what [`without_settings`] leaves.
    ///
    /// What it prints goes to the file `server.log` of its folder, where it has one.
    pub(crate) fn start(processors: Processors, command: impl Fn(u16) -> Command) -> Result<Self> {
        let address = free_address()?;
        let inner = command(address.port());
        let log = match inner.get_current_dir() {
            Some(folder) => Stdio::from(File::create(folder.join("server.log"))?),
            None => Stdio::null(),
        };
        let mut outer = if processors == Processors::One && processor::are_two() {
            let mut outer = Command::new("taskset");
            outer.args(["--cpu-list", &processor::SERVER.to_string()]);
            outer.arg(inner.get_program());
            outer
        } else {
            Command::new(inner.get_program())
        };
        without_settings(&mut outer).args(inner.get_args()).envs(
            inner
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        outer.current_dir(inner.get_current_dir().unwrap_or(Path::new(".")));
        let started = Instant::now();
        let child = outer
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .with_context(|| format!("start {}", outer.get_program().display()))?;
        let mut server = Self {
            child,
            address,
            processors,
            start: Duration::ZERO,
        };
        server.wait(started)?;
        server.start = started.elapsed();
        Ok(server)
    }

    fn wait(&mut self, started: Instant) -> Result<()> {
        while TcpStream::connect(self.address).is_err() {
            if let Some(status) = self.child.try_wait()? {
                let mut said = String::new();
                if let Some(stderr) = self.child.stderr.take() {
                    let lines = BufReader::new(stderr).lines().map_while(Result::ok);
                    said = lines.collect::<Vec<_>>().join("\n");
                }
                bail!("the server ended with {status}: {said}");
            }
            if started.elapsed() > START_MAX {
                bail!("the server did not answer within {START_MAX:?}");
            }
            std::thread::sleep(Duration::from_micros(500));
        }
        // Nothing reads it from here on, and a server must not wait for that.
        if let Some(stderr) = self.child.stderr.take() {
            std::thread::spawn(move || {
                std::io::copy(&mut BufReader::new(stderr), &mut std::io::sink())
            });
        }
        Ok(())
    }

    /// Of the process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Seconds of processor time so far, of the server and of the processes that it started.
    pub(crate) fn processor_seconds(&self) -> f64 {
        let nanoseconds: u64 = self.processes().iter().map(|pid| nanoseconds_of(pid)).sum();
        nanoseconds as f64 / 1e9
    }

    /// Bytes of memory that are its own or shared, all its processes together.
    pub(crate) fn memory_bytes(&self) -> u64 {
        let kib: u64 = self.processes().iter().map(|pid| resident_kib(pid)).sum();
        kib * 1024
    }

    /// Those of its process group.
    fn processes(&self) -> Vec<String> {
        let group = self.child.id().to_string();
        let Ok(entries) = std::fs::read_dir("/proc") else {
            return Vec::new();
        };
        entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|pid| pid.bytes().all(|byte| byte.is_ascii_digit()))
            .filter(|pid| {
                let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
                // pid (name) state parent group
                let rest = stat.rsplit_once(") ").map(|(_, rest)| rest);
                rest.and_then(|rest| rest.split(' ').nth(2)) == Some(&group)
            })
            .collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) else {
            return;
        };
        for (signal, wait) in [(Signal::TERM, STOP_MAX), (Signal::KILL, STOP_MAX)] {
            let _ = kill_process_group(group, signal);
            let since = Instant::now();
            while since.elapsed() < wait {
                if !matches!(self.child.try_wait(), Ok(None)) {
                    return;
                }
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
}

/// Leaves a program nothing of this one's environment but where programs and a home are, so that
/// no setting of somebody's changes what is measured, or names a database that is written to.
pub(crate) fn without_settings(command: &mut Command) -> &mut Command {
    let kept = ["PATH", "HOME"].map(|name| Some((name, std::env::var_os(name)?)));
    command.env_clear().envs(kept.into_iter().flatten())
}

/// A free port of loopback.
fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// Time on a processor of all threads of a process (`/proc/PID/task/TID/schedstat`).
fn nanoseconds_of(pid: &str) -> u64 {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) else {
        return 0;
    };
    tasks
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok())
        .filter_map(|text| text.split(' ').next()?.parse::<u64>().ok())
        .sum()
}

fn resident_kib(pid: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|text| text.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}
