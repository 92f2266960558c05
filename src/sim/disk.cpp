#include <tare/sim/disk.hpp>

#include "sim/disk_core.hpp"

#include <sys/stat.h>

#include <stdexcept>

namespace tare::sim {

using detail::disk_core;

namespace {

[[nodiscard]] std::invalid_argument bad_path(std::string_view path) {
  return std::invalid_argument("tare::sim: a disk cannot have " + std::string(path));
}

}  // namespace

std::vector<std::string> disk::files() const {
  std::vector<std::string> paths;
  for (const auto& [path, each] : core_->names()) {
    if (!each->is_directory()) paths.push_back(path);
  }
  return paths;
}

std::optional<std::string> disk::contents(std::string_view path) const {
  const auto found = core_->find(disk_core::normal(path));
  if (found == nullptr || found->is_directory()) return std::nullopt;
  return std::string(found->seen.view());
}

void disk::put(std::string_view path, std::string_view contents) {
  const std::string name = disk_core::normal(path);
  if (name == "/") throw bad_path(path);
  make_directory(name.substr(0, name.rfind('/')));
  auto found = core_->find(name);
  if (found == nullptr) {
    const auto made = core_->create(name, S_IFREG | 0644);
    if (!made) throw bad_path(path);
    found = *made;
  }
  if (found->is_directory() || !found->resize(contents.size())) throw bad_path(path);
  contents.copy(found->seen.data(), contents.size());
  core_->sync_all();
}

void disk::make_directory(std::string_view path) {
  const std::string name = disk_core::normal(path);
  for (std::size_t end = name.find('/', 1);; end = name.find('/', end + 1)) {
    const std::string part = name.substr(0, end);
    const auto found = core_->find(part);
    if (found == nullptr ? !core_->create(part, S_IFDIR | 0755) : !found->is_directory()) throw bad_path(path);
    if (end == std::string::npos) break;
  }
  core_->sync_all();
}

void disk::corrupt(std::string_view path, std::size_t offset) {
  const auto found = core_->find(disk_core::normal(path));
  if (found == nullptr || offset >= found->seen.size()) {
    throw std::out_of_range("tare::sim: no byte " + std::to_string(offset) + " in " + std::string(path));
  }
  found->seen.data()[offset] = static_cast<char>(~found->seen.data()[offset]);
  if (offset < found->kept.size()) found->kept[offset] = static_cast<char>(~found->kept[offset]);
}

void disk::limit_bytes(std::size_t most) noexcept { core_->max_bytes = most; }
std::size_t disk::used_bytes() const noexcept { return core_->used_bytes(); }
std::uint64_t disk::calls() const noexcept { return core_->calls; }
void disk::fail_at(std::uint64_t call) noexcept { core_->fail_at = call; }
void disk::fail_reads(std::uint64_t once_in) noexcept { core_->failing_reads = once_in; }
void disk::fail_writes(std::uint64_t once_in) noexcept { core_->failing_writes = once_in; }
void disk::fail_syncs(std::uint64_t once_in) noexcept { core_->failing_syncs = once_in; }

void disk::crash_at(std::uint64_t call) {
  if (!core_->may_crash) throw std::logic_error("tare::sim: the scenario's own host cannot crash");
  core_->crash_at = call;
}

}  // namespace tare::sim
