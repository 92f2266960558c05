#include "sim/disk_core.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace tare::sim::detail {

namespace {

constexpr std::uint64_t first_disk_purpose = 1000;
constexpr std::size_t small_sector = 512;
constexpr std::size_t large_sector = 4096;

/// Never the same twice in a process, because libraries keep what they know of a device: SQLite, its locks.
std::uint64_t next_device() noexcept {
  static std::uint64_t last = 0x7a000000;
  return ++last;
}

[[nodiscard]] std::string parent_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return std::string(slash == 0 ? "/" : path.substr(0, slash));
}

[[nodiscard]] bool is_below(std::string_view path, std::string_view directory) noexcept {
  if (directory == "/") return path != "/";
  return path.size() > directory.size() && path.starts_with(directory) && path[directory.size()] == '/';
}

/// The bytes of a disk, cut off where `seen` ends; their last sector is as it was seen.
void cut_off(std::string& kept, std::string_view seen) {
  const std::size_t start = seen.size() / small_sector * small_sector;
  kept.replace(start, std::string::npos, seen.substr(start));
}

}  // namespace

disk_core::disk_core(std::uint64_t seed, std::uint64_t machine)
    : random_(seed, first_disk_purpose + machine), device_(next_device()) {
  for (const char* const path : {"/", "/tmp", "/var", "/var/tmp"}) {
    seen_[path] = std::make_shared<disk_node>(next_number_++, S_IFDIR | 0755, used_);
  }
  kept_ = seen_;
}

std::string disk_core::normal(std::string_view path) {
  std::string made;
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    path = slash == std::string_view::npos ? "" : path.substr(slash + 1);
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      made.resize(made.empty() ? 0 : made.rfind('/'));
      continue;
    }
    made += '/';
    made += part;
  }
  return made.empty() ? "/" : made;
}

disk_core::node disk_core::find(const std::string& path) const {
  const auto found = seen_.find(path);
  return found == seen_.end() ? nullptr : found->second;
}

int disk_core::check_parent(const std::string& path) const {
  const node parent = find(parent_of(path));
  if (parent != nullptr) return parent->is_directory() ? 0 : ENOTDIR;
  // As the system, it stops at the first part that is wrong.
  for (std::string above = parent_of(path); above != "/"; above = parent_of(above)) {
    if (const node found = find(above)) return found->is_directory() ? ENOENT : ENOTDIR;
  }
  return ENOENT;
}

disk_core::outcome<disk_core::node> disk_core::create(const std::string& path, mode_t mode) {
  if (find(path) != nullptr) return std::unexpected(EEXIST);
  if (const int error = check_parent(path); error != 0) return std::unexpected(error);
  auto made = std::make_shared<disk_node>(next_number_++, mode, used_);
  make({{path, made}});
  return made;
}

int disk_core::remove(const std::string& path) {
  const node removed = find(path);
  if (removed == nullptr) return check_parent(path) == ENOTDIR ? ENOTDIR : ENOENT;
  if (removed->is_directory()) return EISDIR;
  make({{path, nullptr}});
  return 0;
}

int disk_core::remove_directory(const std::string& path) {
  const node removed = find(path);
  if (removed == nullptr) return check_parent(path) == ENOTDIR ? ENOTDIR : ENOENT;
  if (!removed->is_directory()) return ENOTDIR;
  if (path == "/") return EBUSY;
  if (has_children(path)) return ENOTEMPTY;
  make({{path, nullptr}});
  return 0;
}

int disk_core::rename(const std::string& from, const std::string& to) {
  const node moved = find(from);
  if (moved == nullptr) return check_parent(from) == ENOTDIR ? ENOTDIR : ENOENT;
  if (const int error = check_parent(to); error != 0) return error;
  if (from == "/" || to == "/") return EBUSY;
  if (is_below(to, from)) return EINVAL;
  if (from == to) return 0;
  if (const node replaced = find(to)) {
    if (replaced->is_directory() != moved->is_directory()) return replaced->is_directory() ? EISDIR : ENOTDIR;
    if (has_children(to)) return ENOTEMPTY;
  }
  change made{{from, nullptr}, {to, moved}};
  for (const auto& [path, child] : seen_) {
    if (!is_below(path, from)) continue;
    made.emplace_back(path, nullptr);
    made.emplace_back(to + path.substr(from.size()), child);
  }
  make(std::move(made));
  return 0;
}

bool disk_core::has_children(const std::string& path) const {
  return std::ranges::any_of(seen_, [&](const auto& each) { return is_below(each.first, path); });
}

void disk_core::apply(const change& made, names_of_disk& to) {
  for (const auto& [path, named] : made) {
    if (named == nullptr) {
      to.erase(path);
    } else {
      to[path] = named;
    }
  }
}

void disk_core::make(change made) {
  for (const auto& [path, named] : made) {
    if (const node before = find(path)) before->has_name = false;
  }
  apply(made, seen_);
  for (const auto& [path, named] : made) {
    if (named != nullptr) named->has_name = true;
  }
  pending_.push_back(std::move(made));
  if (random_.once_in(8)) keep_changes(random_.below(pending_.size() + 1));
}

void disk_core::keep_changes(std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) apply(pending_[i], kept_);
  pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(count));
}

void disk_core::sync_names(const disk_node& directory) {
  const auto named =
      std::ranges::find_if(seen_, [&directory](const auto& each) { return each.second.get() == &directory; });
  if (named == seen_.end()) return;
  std::size_t count = 0;
  for (std::size_t i = 0; i < pending_.size(); ++i) {
    const bool is_inside =
        std::ranges::any_of(pending_[i], [&](const auto& each) { return parent_of(each.first) == named->first; });
    if (is_inside) count = i + 1;
  }
  keep_changes(count);
}

void disk_core::sync_all() {
  keep_changes(pending_.size());
  for (const auto& [path, each] : seen_) each->sync();
}

disk_core::outcome<std::size_t> disk_core::write(disk_node& to, std::size_t offset, std::span<const char> bytes) {
  const std::size_t size = to.seen.size();
  std::size_t taken = bytes.size();
  if (offset + taken > size) {
    const std::size_t room = room_for(offset + taken - size);
    const std::size_t most = size + std::min(room, SIZE_MAX - size);
    if (offset + taken > most) taken = most > offset ? most - offset : 0;
    if (taken == 0 && !bytes.empty()) return std::unexpected(ENOSPC);
    if (offset + taken > size && !to.resize(offset + taken)) return std::unexpected(EFBIG);
  }
  if (taken != 0) std::memcpy(to.seen.data() + offset, bytes.data(), taken);
  if (random_.once_in(16)) write_back(to);
  return taken;
}

int disk_core::resize(disk_node& changed, std::size_t size) {
  const std::size_t before = changed.seen.size();
  if (size > before && size - before > room_for(size - before)) return ENOSPC;
  return changed.resize(size) ? 0 : EFBIG;
}

std::size_t disk_core::room_for(std::size_t bytes) {
  const auto room = [this] { return max_bytes - std::min(max_bytes, *used_); };
  // Removed files that a crash could bring back give up their space.
  if (room() < bytes) keep_changes(pending_.size());
  return room();
}

void disk_core::write_back(disk_node& changed) {
  const std::string_view seen = changed.seen.view();
  std::string& kept = changed.kept;
  if (seen.size() < kept.size()) cut_off(kept, seen);
  for (std::size_t start = 0; start < seen.size(); start += small_sector) {
    const std::string_view sector = seen.substr(start, small_sector);
    if (start < kept.size() && sector == std::string_view(kept).substr(start, small_sector)) continue;
    if (random_.once_in(2)) continue;
    if (kept.size() < start + sector.size()) kept.resize(start + sector.size());
    kept.replace(start, sector.size(), sector);
  }
}

disk_core::node disk_core::survivor_of(disk_node& lost, std::size_t sector_bytes) {
  auto left = std::make_shared<disk_node>(lost.number, lost.mode, used_);
  left->changed_at = lost.changed_at;
  std::string content = lost.kept;
  const std::string_view seen = lost.seen.view();
  // Often nothing or all, otherwise any part.
  enum class fate : std::uint8_t { nothing, all, some, some_too };
  const auto chosen = static_cast<fate>(random_.below(4));
  const auto survives = [&] { return chosen == fate::all || (chosen != fate::nothing && random_.once_in(2)); };
  if (seen.size() < content.size()) {
    if (survives()) cut_off(content, seen);
  } else if (seen.size() > content.size()) {
    const std::size_t added = seen.size() - content.size();
    if (chosen == fate::all) content.resize(seen.size());
    if (chosen == fate::some) content.resize(content.size() + random_.below(added + 1));
    if (chosen == fate::some_too && random_.once_in(2)) content.resize(seen.size());
  }
  const std::size_t shared = std::min(content.size(), seen.size());
  for (std::size_t start = 0; start < shared; start += sector_bytes) {
    const std::string_view sector = seen.substr(start, std::min(sector_bytes, shared - start));
    if (sector == std::string_view(content).substr(start, sector.size())) continue;
    if (!survives()) continue;
    content.replace(start, sector.size(), sector);
    // The rest of the last sector is empty in memory.
    const std::size_t end = std::min(start + sector_bytes, content.size());
    std::fill(content.begin() + static_cast<std::ptrdiff_t>(start + sector.size()),
              content.begin() + static_cast<std::ptrdiff_t>(end), '\0');
  }
  if (!left->resize(content.size())) return left;
  std::memcpy(left->seen.data(), content.data(), content.size());
  left->kept = std::move(content);
  return left;
}

bool disk_core::counts(disk_call made) noexcept {
  if (!has_power_ || made == disk_call::read) return false;
  return ++calls == crash_at;
}

int disk_core::fault_of(disk_call made) noexcept {
  if (made != disk_call::read && calls == fail_at) return EIO;
  const std::uint64_t rate = made == disk_call::read   ? failing_reads
                             : made == disk_call::sync ? failing_syncs
                                                       : failing_writes;
  return random_.once_in(rate) ? EIO : 0;
}

void disk_core::lose_power() {
  if (!has_power_) return;
  has_power_ = false;
  keep_changes(random_.below(pending_.size() + 1));
  pending_.clear();
  const std::size_t sector = random_.once_in(2) ? small_sector : large_sector;
  for (auto& [path, each] : kept_) each = survivor_of(*each, sector);
  seen_ = kept_;
  device_ = next_device();
}

}  // namespace tare::sim::detail
