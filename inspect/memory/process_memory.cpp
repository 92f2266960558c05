#include "inspect/memory/process_memory.hpp"

#include "base/proc/file.hpp"
#include "base/proc/text.hpp"
#include "inspect/memory/maps.hpp"
#include "inspect/memory/present_pages.hpp"

#include <fmt/format.h>

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

namespace tare::inspect {
namespace {

/// The kernel's limit on mappings allows for about 8 MB.
constexpr std::size_t max_maps_bytes = std::size_t{256} << 20U;

/// The permission that would allow reading the process.
std::unexpected<base::error> no_permission(pid_t pid) {
  std::string why;
  struct stat owner{};
  const bool other_user = ::stat(fmt::format("/proc/{}", pid).c_str(), &owner) == 0 && owner.st_uid != ::geteuid();
  if (other_user) {
    why = fmt::format("it belongs to another user ({}): run as that user, or with the capability CAP_SYS_PTRACE",
                      owner.st_uid);
  } else {
    const auto scope = base::read_proc_file("/proc/sys/kernel/yama/ptrace_scope");
    const char level = scope && !scope->empty() ? scope->front() : '0';
    if (level == '0') {
      why = "it does not let itself be looked at (PR_SET_DUMPABLE): run with the capability CAP_SYS_PTRACE";
    } else {
      why = fmt::format(
          "kernel.yama.ptrace_scope is {}: run with the capability CAP_SYS_PTRACE, or set it to 0 with sysctl", level);
    }
  }
  return std::unexpected(
      base::error{base::fault::system, fmt::format("cannot read the memory of process {}: {}", pid, why)});
}

std::unexpected<base::error> no_process(pid_t pid) {
  return std::unexpected(base::error{base::fault::input, fmt::format("process {} does not exist", pid)});
}

/// Whether the executable is a 64-bit x86 program.
base::result<void> check_kind(pid_t pid) {
  const base::file_descriptor file(::open(fmt::format("/proc/{}/exe", pid).c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) {
    if (errno == EACCES || errno == EPERM) return no_permission(pid);
    if (errno == ENOENT) {
      return std::unexpected(
          base::error{base::fault::input, fmt::format("process {} has no program: it is the kernel's own, or "
                                                      "has ended and was not waited for",
                                                      pid)});
    }
    return base::system_error(fmt::format("cannot open the program of process {}", pid), errno);
  }
  Elf64_Ehdr head{};
  if (::pread(file.get(), &head, sizeof head, 0) != static_cast<ssize_t>(sizeof head)) return {};
  if (head.e_ident[EI_CLASS] != ELFCLASS64 || head.e_machine != EM_X86_64) {
    return base::input_error(fmt::format("process {} is not a 64-bit x86 process: its frames cannot be read", pid));
  }
  return {};
}

}  // namespace

base::result<std::unique_ptr<process_memory>> process_memory::open(pid_t pid) {
  const auto stat = base::read_proc_file(pid, "stat");
  if (!stat) return no_process(pid);
  if (const auto parsed = base::parse_stat(*stat); parsed && (parsed->state == 'Z' || parsed->state == 'X')) {
    return std::unexpected(base::error{base::fault::input, fmt::format("process {} has ended", pid)});
  }
  if (auto kind = check_kind(pid); !kind) return std::unexpected(kind.error());
  const auto text = base::read_proc_file(pid, "maps", max_maps_bytes);
  if (!text) return no_permission(pid);
  auto regions = parse_maps(*text);
  if (regions.empty())
    return std::unexpected(base::error{base::fault::input, fmt::format("process {} has ended", pid)});

  base::file_descriptor pagemap(::open(fmt::format("/proc/{}/pagemap", pid).c_str(), O_RDONLY | O_CLOEXEC));
  std::unique_ptr<process_memory> opened(new process_memory(pid, std::move(regions), std::move(pagemap)));
  // Reading memory needs another permission than reading the list of regions.
  const auto readable = std::ranges::find(opened->regions_, true, &memory_region::readable);
  std::byte first{};
  if (readable != opened->regions_.end()) {
    errno = 0;
    if (opened->read(readable->where.begin, std::span(&first, 1)) == 0) {
      if (errno == EPERM) return no_permission(pid);
      if (errno == ESRCH) return no_process(pid);
      if (errno == ENOSYS) {
        return std::unexpected(
            base::error{base::fault::system, "this kernel, or its seccomp filter, has no process_vm_readv"});
      }
    }
  }
  return opened;
}

std::size_t process_memory::read(std::uint64_t address, std::span<std::byte> buffer) const {
  std::size_t done = 0;
  while (done < buffer.size()) {
    const iovec here{.iov_base = buffer.data() + done, .iov_len = buffer.size() - done};
    // NOLINTNEXTLINE(performance-no-int-to-ptr): an address in the other process
    const iovec there{.iov_base = reinterpret_cast<void*>(address + done), .iov_len = here.iov_len};
    const ssize_t length = ::process_vm_readv(pid_, &here, 1, &there, 1, 0);
    if (length <= 0) break;
    done += static_cast<std::size_t>(length);
  }
  return done;
}

std::vector<address_range> process_memory::present(const memory_region& region) const {
  if (!pagemap_) return {region.where};
  // Without an answer it has ended, or the kernel does not allow it.
  return present_pages(pagemap_.get(), region.where).value_or(std::vector{region.where});
}

std::vector<std::uint64_t> process_memory::resident() const {
  // Four times as long as the list alone.
  const auto text = base::read_proc_file(pid_, "smaps", 4 * max_maps_bytes);
  std::vector<std::uint64_t> all(regions_.size());
  for (const auto& [begin, bytes] : parse_resident(text ? std::string_view(*text) : std::string_view())) {
    const auto region =
        std::ranges::lower_bound(regions_, begin, {}, [](const auto& each) { return each.where.begin; });
    if (region != regions_.end() && region->where.begin == begin) {
      all[static_cast<std::size_t>(region - regions_.begin())] = bytes;
    } else {
      all.push_back(bytes);
    }
  }
  return all;
}

std::vector<address_range> process_memory::stacks() const {
  std::vector<address_range> found;
  for (const pid_t thread : threads_of(pid_)) {
    // "NUMBER ARGUMENTS... SP PC" of a thread that is in a system call, "-1 SP PC" of one stopped elsewhere, "running".
    const auto text = base::read_proc_file(fmt::format("/proc/{}/task/{}/syscall", pid_, thread));
    if (!text) continue;
    std::istringstream words(*text);
    std::vector<std::string> all;
    for (std::string word; words >> word;) all.push_back(std::move(word));
    if (all.size() < 3 || !all[all.size() - 2].starts_with("0x")) continue;
    const std::string_view digits = std::string_view(all[all.size() - 2]).substr(2);
    std::uint64_t pointer = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), pointer, 16);
    if (const auto* region = region_at(pointer); region != nullptr) {
      found.push_back({.begin = pointer, .end = region->where.end});
    }
  }
  return found;
}

std::vector<pid_t> threads_of(pid_t pid) {
  std::vector<pid_t> threads;
  std::error_code wrong;
  for (std::filesystem::directory_iterator entry(fmt::format("/proc/{}/task", pid), wrong), end; !wrong && entry != end;
       entry.increment(wrong)) {
    const std::string name = entry->path().filename().string();
    pid_t thread = 0;
    if (std::from_chars(name.data(), name.data() + name.size(), thread).ec == std::errc()) threads.push_back(thread);
  }
  return threads;
}

}  // namespace tare::inspect
