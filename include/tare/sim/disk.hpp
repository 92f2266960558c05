#pragma once

// The disk of a host: what is on it, and how it fails. Programs use it by the calls of the system (`open`, `write`,
// `fsync`, `rename`) and what is built on them (`tare::net::file`, `std::fstream`, SQLite).
//
//   auto& server = w.add_host("server", {.disk_bytes = 1 << 20});
//   server.disk().crash_at(17);                       // the power fails at the 17th call that changes the disk
//   server.spawn(serve());
//   while (server.is_up()) co_await tare::sleep_for(1ms);
//   server.restart();                                 // with what has survived
//
// After a crash, a change is there for certain if it has been synced: the content of a file by `fsync` or `fdatasync`,
// its name by `fsync` of its directory. Of the rest the seed decides: each sector of a file is the old or the new one,
// and of the changes of names the first ones have happened.
//
// **Errors** Of the arguments by exceptions; what programs get is errno. **Cancellation** Nothing waits here, but a
// call on a disk with latency blocks its thread. **Threads** Those of the simulation. **Bytes** All files are in
// memory.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tare::sim {

namespace detail {

class disk_core;

}  // namespace detail

/// Refers to the disk of a host (`host::disk`); as long as the world lives.
class disk {
 public:
  explicit disk(detail::disk_core& core) noexcept : core_(&core) {}

  /// The paths of all files, in alphabetical order.
  [[nodiscard]] std::vector<std::string> files() const;
  /// What programs read from a file; nullopt if there is none of that name.
  [[nodiscard]] std::optional<std::string> contents(std::string_view path) const;
  /// Makes or replaces a file and its directories, which survive a crash. Throws std::invalid_argument if `path` is, or
  /// leads through, something else.
  void put(std::string_view path, std::string_view contents);
  /// Makes a directory and those above it, which survive a crash. `/tmp` and `/var/tmp` exist.
  void make_directory(std::string_view path);
  /// Inverts all bits of a byte, for now and after a crash. Throws std::out_of_range if there is none.
  void corrupt(std::string_view path, std::size_t offset);

  /// Writes fail with ENOSPC when files have so many bytes.
  void limit_bytes(std::size_t most) noexcept;
  [[nodiscard]] std::size_t used_bytes() const noexcept;

  /// The number of calls so far that changed the disk or failed to: write, truncate, sync, create, rename, remove.
  [[nodiscard]] std::uint64_t calls() const noexcept;
  /// The power fails at the call with that number, counted from 1, before it does anything: the host crashes. 0: never.
  /// Throws std::logic_error for the scenario's own host.
  void crash_at(std::uint64_t call);
  /// The call with that number fails with EIO. 0: none.
  void fail_at(std::uint64_t call) noexcept;
  /// One in so many fails with EIO, as the seed decides; 1: all, 0: none.
  void fail_reads(std::uint64_t once_in) noexcept;
  void fail_writes(std::uint64_t once_in) noexcept;  ///< and truncations and changes of names
  void fail_syncs(std::uint64_t once_in) noexcept;   ///< what they would have synced may survive a crash or not

 private:
  detail::disk_core* core_;
};

}  // namespace tare::sim
