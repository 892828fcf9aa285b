//! The disk that a database's file is on.

use std::path::Path;

use super::Finding;

const SUBJECT: &str = "disk";
const MIB: u64 = 1024 * 1024;

/// Below this much free space, writes may soon be refused.
const FREE_MIN: u64 = 1024 * MIB;
const FREE_MIN_PERCENT: u64 = 5;

/// Below this much, they are.
const FREE_NONE: u64 = 16 * MIB;

/// Free space, rights and kind of the disk of `file`, which need not be there yet.
#[cfg(unix)]
pub(super) fn examine(file: &Path) -> Vec<Finding> {
    use rustix::fs::{StatVfsMountFlags, statvfs};
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let Ok(disk) = statvfs(folder) else {
        let text = format!("the folder {} is not there", folder.display());
        return vec![Finding::error(
            SUBJECT,
            text,
            "make it, or name another in --database",
        )];
    };
    if disk.f_flag.contains(StatVfsMountFlags::RDONLY) {
        let text = format!("{} cannot be written to", folder.display());
        return vec![Finding::error(SUBJECT, text, "mount it for writing")];
    }
    let unit = disk.f_frsize;
    let space = judge_space(disk.f_bavail * unit, disk.f_blocks * unit);
    std::iter::once(space).chain(network(folder)).collect()
}

#[cfg(not(unix))]
pub(super) fn examine(_: &Path) -> Vec<Finding> {
    Vec::new()
}

fn judge_space(free: u64, total: u64) -> Finding {
    let text = format!("{} MiB are free", free / MIB);
    let advice = "make room, or move the database to a larger disk";
    let percent = free.saturating_mul(100).checked_div(total).unwrap_or(0);
    if free < FREE_NONE {
        Finding::error(SUBJECT, text, advice)
    } else if free < FREE_MIN || percent < FREE_MIN_PERCENT {
        Finding::warning(SUBJECT, text, advice)
    } else {
        Finding::ok(SUBJECT, text)
    }
}

#[cfg(target_os = "linux")]
fn network(folder: &Path) -> Option<Finding> {
    let kind = rustix::fs::statfs(folder).ok()?.f_type;
    let name = network_name(u32::try_from(kind & 0xFFFF_FFFF).ok()?)?;
    Some(Finding::warning(
        SUBJECT,
        format!(
            "the database is on a network file system ({name}), whose locks SQLite cannot trust"
        ),
        "move it to a local disk, or to PostgreSQL: `carafe move`",
    ))
}

#[cfg(all(unix, not(target_os = "linux")))]
fn network(_: &Path) -> Option<Finding> {
    None
}

/// The name of a file system that is on another machine: statfs(2).
#[cfg(target_os = "linux")]
fn network_name(kind: u32) -> Option<&'static str> {
    match kind {
        0x6969 => Some("NFS"),
        0x517B | 0xFE53_4D42 => Some("SMB"),
        0xFF53_4D42 => Some("CIFS"),
        0x0102_1997 => Some("9P"),
        0x00C3_6400 => Some("Ceph"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    #[test]
    fn space_is_judged_by_what_is_left() {
        let gib = 1024 * MIB;
        for (free, total, level) in [
            (50 * gib, 100 * gib, Level::Ok),
            (4 * gib, 100 * gib, Level::Warning),
            (512 * MIB, gib, Level::Warning),
            (MIB, gib, Level::Error),
            (0, 0, Level::Error),
        ] {
            assert_eq!(judge_space(free, total).level, level, "{free} of {total}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_system_of_another_machine_is_named() {
        assert_eq!(network_name(0x6969), Some("NFS"));
        assert_eq!(network_name(0xFF53_4D42), Some("CIFS"));
        // ext4
        assert_eq!(network_name(0xEF53), None);
    }
}
