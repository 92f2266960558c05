#pragma once

// The disk of a machine: its names and files, what of them a crash leaves, and the calls that fail.
//
// Programs see every change at once. A change survives a crash for certain when it has been synced: the content of a
// file by fsync, its name by fsync of the directory. Of the others the seed decides: sectors of files one by one, and
// of the changes of names a number of the first ones, as a file system with a journal does.

#include "sim/disk_node.hpp"
#include "sim/random.hpp"

#include <cstddef>
#include <cstdint>
#include <expected>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tare::sim::detail {

enum class disk_call : std::uint8_t { read, write, sync, name };

class disk_core {
 public:
  using node = std::shared_ptr<disk_node>;
  /// An error number.
  template <class T>
  using outcome = std::expected<T, int>;

  disk_core(std::uint64_t seed, std::uint64_t machine);

  /// Without ".", "..", and repeated slashes; relative to "/".
  [[nodiscard]] static std::string normal(std::string_view path);

  // Names. Paths are normal.
  [[nodiscard]] node find(const std::string& path) const;
  /// ENOENT or ENOTDIR if the directory that would contain it does not exist.
  [[nodiscard]] int check_parent(const std::string& path) const;
  [[nodiscard]] outcome<node> create(const std::string& path, mode_t mode);
  [[nodiscard]] int remove(const std::string& path);
  [[nodiscard]] int remove_directory(const std::string& path);
  [[nodiscard]] int rename(const std::string& from, const std::string& to);
  void sync_names(const disk_node& directory);
  [[nodiscard]] const std::map<std::string, node>& names() const noexcept { return seen_; }
  /// All that has happened so far survives.
  void sync_all();

  // Content.
  [[nodiscard]] outcome<std::size_t> write(disk_node& to, std::size_t offset, std::span<const char> bytes);
  [[nodiscard]] int resize(disk_node& changed, std::size_t size);
  [[nodiscard]] bool once_in(std::uint64_t times) noexcept { return random_.once_in(times); }
  [[nodiscard]] std::uint64_t below(std::uint64_t count) noexcept { return random_.below(count); }
  [[nodiscard]] std::size_t used_bytes() const noexcept { return *used_; }

  // Faults.
  /// True if the power fails at this call.
  [[nodiscard]] bool counts(disk_call made) noexcept;
  /// The error number with which a call fails; 0: none.
  [[nodiscard]] int fault_of(disk_call made) noexcept;
  void lose_power();
  void power_on() noexcept { has_power_ = true; }
  [[nodiscard]] bool has_power() const noexcept { return has_power_; }
  /// What the system tells programs to distinguish disks by; another one after each crash.
  [[nodiscard]] std::uint64_t device() const noexcept { return device_; }

  std::size_t max_bytes = SIZE_MAX;
  std::int64_t latency = 0;  ///< of a sync
  std::uint64_t calls = 0;   ///< that change something
  bool may_crash = true;
  std::uint64_t crash_at = 0;
  std::uint64_t fail_at = 0;
  std::uint64_t failing_reads = 0;  ///< one in so many; 0: none
  std::uint64_t failing_writes = 0;
  std::uint64_t failing_syncs = 0;

 private:
  using names_of_disk = std::map<std::string, node>;
  /// Names that appear, or disappear if they have no node. They survive together or not at all.
  using change = std::vector<std::pair<std::string, node>>;

  static void apply(const change& made, names_of_disk& to);
  void make(change made);
  void keep_changes(std::size_t count);
  [[nodiscard]] bool has_children(const std::string& path) const;
  [[nodiscard]] std::size_t room_for(std::size_t bytes);
  /// The system writes some of what it has in memory when it likes to.
  void write_back(disk_node& changed);
  [[nodiscard]] node survivor_of(disk_node& lost, std::size_t sector);

  random_sequence random_;
  std::shared_ptr<std::size_t> used_ = std::make_shared<std::size_t>(0);
  names_of_disk seen_;
  names_of_disk kept_;
  std::vector<change> pending_;  ///< not yet in `kept_`
  std::uint64_t next_number_ = 2;
  std::uint64_t device_;
  bool has_power_ = true;
};

}  // namespace tare::sim::detail
