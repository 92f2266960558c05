#pragma once

// A file or directory of a simulated disk: what programs see of it, and what a crash leaves for certain.

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace tare::sim::detail {

/// The bytes of a file. Once they have been mapped into memory, they keep their address.
class file_bytes {
 public:
  file_bytes() = default;
  file_bytes(const file_bytes&) = delete;
  file_bytes& operator=(const file_bytes&) = delete;
  ~file_bytes();

  [[nodiscard]] const char* data() const noexcept { return pinned_ != nullptr ? pinned_ : bytes_.data(); }
  [[nodiscard]] char* data() noexcept { return pinned_ != nullptr ? pinned_ : bytes_.data(); }
  [[nodiscard]] std::size_t size() const noexcept { return pinned_ != nullptr ? pinned_size_ : bytes_.size(); }
  [[nodiscard]] std::string_view view() const noexcept { return {data(), size()}; }
  /// New bytes are 0. False if the file is mapped and would outgrow its address range.
  [[nodiscard]] bool resize(std::size_t size);
  /// The address that the bytes have from now on; nullptr without memory, or if there are too many.
  [[nodiscard]] char* pin() noexcept;

 private:
  static constexpr std::size_t max_pinned = std::size_t{64} << 20U;

  std::string bytes_;
  char* pinned_ = nullptr;
  std::size_t pinned_size_ = 0;
};

class disk_file;

struct disk_node {
  disk_node(std::uint64_t its_number, mode_t its_mode, std::shared_ptr<std::size_t> used)
      : number(its_number), mode(its_mode), used_bytes(std::move(used)) {}
  disk_node(const disk_node&) = delete;
  disk_node& operator=(const disk_node&) = delete;
  ~disk_node() { *used_bytes -= seen.size(); }

  [[nodiscard]] bool is_directory() const noexcept;
  [[nodiscard]] bool resize(std::size_t size);
  void sync() { kept.assign(seen.view()); }

  std::uint64_t number;
  mode_t mode;
  bool has_name = true;
  std::int64_t changed_at = 0;  ///< the machine's real time
  file_bytes seen;
  std::string kept;  ///< survives a crash
  // flock(2)
  disk_file* locked_by = nullptr;
  std::size_t shared_locks = 0;
  std::shared_ptr<std::size_t> used_bytes;  ///< of the whole disk
};

}  // namespace tare::sim::detail
