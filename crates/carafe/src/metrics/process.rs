//! What the operating system says of this process, as Prometheus' client libraries name it. Linux
//! only; elsewhere there is nothing.

use std::fs;

use crate::metrics::text::Text;

/// Ticks of a second in `/proc` (`USER_HZ`), which Linux shows as 100 on every machine.
const TICKS: f64 = 100.0;

/// Writes what can be read.
pub(crate) fn write(text: &mut Text) {
    if let Some(process) = Process::read() {
        process.write(text);
    }
}

/// A process at one moment (proc_pid_stat(5)).
#[derive(Debug, PartialEq)]
struct Process {
    cpu_seconds: f64,
    /// Seconds since 1970.
    started_at: f64,
    resident_bytes: u64,
    virtual_bytes: u64,
    open_files: u64,
    open_files_max: Option<u64>,
}

impl Process {
    fn read() -> Option<Self> {
        let read = |path: &str| fs::read_to_string(path).ok();
        let stat = read("/proc/self/stat")?;
        let booted_at: f64 = value(&read("/proc/stat")?, "btime")?;
        let status = read("/proc/self/status")?;
        let limits = read("/proc/self/limits")?;
        // Behind the name, which is in parentheses and may hold anything: from the third field on.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
        Some(Self {
            cpu_seconds: (ticks(14)? + ticks(15)?) / TICKS,
            started_at: booted_at + ticks(22)? / TICKS,
            resident_bytes: value::<u64>(&status, "VmRSS:")? * 1024,
            virtual_bytes: value::<u64>(&status, "VmSize:")? * 1024,
            open_files: fs::read_dir("/proc/self/fd").ok()?.count() as u64,
            open_files_max: value(&limits, "Max open files"),
        })
    }

    fn write(&self, text: &mut Text) {
        text.counter(
            "process_cpu_seconds_total",
            "Processor time used, in user and system mode.",
            self.cpu_seconds,
        );
        text.gauge(
            "process_start_time_seconds",
            "When the process was started, since 1970.",
            self.started_at,
        );
        text.gauge(
            "process_resident_memory_bytes",
            "Memory that is in use.",
            self.resident_bytes,
        );
        text.gauge(
            "process_virtual_memory_bytes",
            "Memory that is mapped.",
            self.virtual_bytes,
        );
        text.gauge(
            "process_open_fds",
            "Open file descriptors.",
            self.open_files,
        );
        if let Some(max) = self.open_files_max {
            text.gauge(
                "process_max_fds",
                "File descriptors that may be open at once.",
                max,
            );
        }
    }
}

/// The first number of the line that begins with `name`.
fn value<T: std::str::FromStr>(text: &str, name: &str) -> Option<T> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_read() {
        let process = Process::read().unwrap();
        assert!(process.resident_bytes > 100_000, "{process:?}");
        assert!(
            process.resident_bytes < process.virtual_bytes,
            "{process:?}"
        );
        assert!(process.open_files > 2, "{process:?}");
        // It was started after 2020.
        assert!(process.started_at > 1.577e9, "{process:?}");
    }
}
