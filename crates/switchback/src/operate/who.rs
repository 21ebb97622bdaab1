//! Who asks, from where, with which words.

use switchback_core::lease::Holder;

/// Who asks, from where, with which words.
#[derive(Debug, Clone)]
pub struct Who {
    /// The user.
    pub user: String,
    /// The host.
    pub host: String,
    /// The process.
    pub pid: u32,
    /// The command line.
    pub command_line: String,
}

impl Who {
    /// The person behind this process.
    pub fn of_this_process() -> Self {
        let variable = |key: &str| std::env::var(key).ok().filter(|it| !it.is_empty());
        let uid = rustix::process::getuid().as_raw();
        let user =
            variable("SUDO_USER").or_else(|| variable("USER")).or_else(|| variable("LOGNAME"));
        let user =
            user.unwrap_or_else(|| if uid == 0 { "root".to_owned() } else { format!("uid {uid}") });
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let words = std::env::args_os().map(|it| it.to_string_lossy().into_owned());
        let words: Vec<String> = words.collect();
        Self { user, host, pid: std::process::id(), command_line: shell_words::join(&words) }
    }

    /// As the holder of a lease.
    pub fn holder(&self, store: &str, operation: &str, since: u64, generation: u64) -> Holder {
        Holder {
            user: self.user.clone(),
            host: self.host.clone(),
            pid: self.pid,
            place: place().unwrap_or_default(),
            began: began(self.pid).unwrap_or_default(),
            store: store.to_owned(),
            operation: operation.to_owned(),
            since,
            generation,
        }
    }
}

/// Whether a process of this host, other than ours, still runs and is one of our program's. A
/// process that has ended and was not waited for yet is still listed, and a number is given again.
pub fn is_alive(pid: u32) -> bool {
    let stat = |pid: u32| fs_err::read_to_string(format!("/proc/{pid}/stat")).ok();
    let Some(found) = stat(pid).filter(|_| pid != std::process::id()) else { return false };
    let ours = stat(std::process::id()).and_then(|it| program_and_state(&it));
    match program_and_state(&found) {
        Some((_, 'Z' | 'X')) => false,
        Some((program, _)) => ours.is_none_or(|(ours, _)| ours == program),
        None => true,
    }
}

/// The second and third field of `/proc/PID/stat`; the second is in parentheses and may hold any.
fn program_and_state(stat: &str) -> Option<(String, char)> {
    let (begin, end) = (stat.find('(')?, stat.rfind(')')?);
    let state = stat.get(end + 2..)?.chars().next()?;
    Some((stat.get(begin + 1..end)?.to_owned(), state))
}

/// Whether the holder of a lease is known to have ended. The number of a process means nothing on
/// another machine, after another boot, or in another namespace of processes: whoever holds it there may
/// be at work, though nobody here sees it. Machines that were cloned share their hosts' names.
pub fn has_ended(holder: &Holder) -> bool {
    place().is_some_and(|here| here == holder.place) && began(holder.pid) != Some(holder.began)
}

/// The machine, the boot of its kernel, and our namespace of processes; none where one is not known. Of a
/// container that has no machine's number of its own, the boot stands for that too.
fn place() -> Option<String> {
    let read = |path: &str| fs_err::read_to_string(path).ok().map(|it| it.trim().to_owned());
    let machine = read("/etc/machine-id").unwrap_or_default();
    let boot = read("/proc/sys/kernel/random/boot_id").filter(|it| !it.is_empty())?;
    let namespace = fs_err::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{machine} {boot} {}", namespace.display()))
}

/// When a process began, in ticks since the boot; none if it has ended.
fn began(pid: u32) -> Option<u64> {
    let text = fs_err::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    program_and_state(&text).filter(|it| !matches!(it.1, 'Z' | 'X'))?;
    // The 22nd field is the 20th after the program's name.
    text.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

/// A new operation's id: 12 characters, sortable by time for people's eyes, and part of names on
/// the engine. Ten hold the milliseconds, two a counter of this process and its id.
pub fn new_operation(now: u64) -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static COUNT: AtomicU64 = AtomicU64::new(0);
    const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let salt = COUNT.fetch_add(1, Ordering::Relaxed) + u64::from(std::process::id()) * 7;
    let mut number = (u128::from(now) << 20) | u128::from(salt & 0xf_ffff);
    let mut id = Vec::new();
    for _ in 0..13 {
        id.push(DIGITS[usize::try_from(number & 31).unwrap_or(0)]);
        number >>= 5;
    }
    id.reverse();
    String::from_utf8_lossy(&id).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whether_a_holder_has_ended_is_known_only_where_its_number_means_something() {
        let us = Who::of_this_process().holder("store", "op", 0, 1);
        assert!(!has_ended(&us), "we run");
        let earlier = Holder { began: us.began + 1, ..us.clone() };
        assert!(has_ended(&earlier), "our number was somebody else's");
        let gone = Holder { pid: u32::MAX, ..us.clone() };
        assert!(has_ended(&gone), "nobody has that number");
        let parts: Vec<&str> = us.place.split(' ').collect();
        let [machine, boot, namespace] = parts[..] else { panic!("{}", us.place) };
        for (place, why) in [
            (format!("{machine} {boot} pid:[1]"), "it may run in another namespace"),
            (format!("{machine} another-boot {namespace}"), "it may be a clone of this machine"),
            (format!("another-machine {boot} {namespace}"), "a boot may be resumed twice"),
            (String::new(), "nobody knows where it ran"),
        ] {
            assert!(!has_ended(&Holder { place, ..gone.clone() }), "{why}");
        }
    }

    #[test]
    fn a_process_that_has_ended_is_not_alive_even_if_nobody_waited_for_it() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = child.id();
        let ended =
            || program_and_state(&fs_err::read_to_string(format!("/proc/{pid}/stat")).unwrap());
        while !matches!(ended(), Some((_, 'Z'))) {
            std::thread::yield_now();
        }
        assert!(!is_alive(pid));
        child.wait().unwrap();
        assert!(!is_alive(pid));
    }

    #[test]
    fn a_program_may_have_any_name() {
        assert_eq!(program_and_state("7 (a) b) S 1"), Some(("a) b".to_owned(), 'S')));
    }

    #[test]
    fn ids_are_never_given_twice_and_sort_by_time() {
        let (one, other) = (new_operation(1_800_000_000_000), new_operation(1_800_000_000_000));
        assert_ne!(one, other);
        assert!(new_operation(1_800_000_001_000) > one);
        assert_eq!(one.len(), 13);
    }
}
