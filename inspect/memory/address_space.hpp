#pragma once

// The memory of a process: of a running one, or the part of it that a core file contains.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

namespace tare::inspect {

struct address_range {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  [[nodiscard]] std::uint64_t bytes() const noexcept { return end - begin; }
  [[nodiscard]] bool contains(std::uint64_t address) const noexcept { return address >= begin && address < end; }
  friend bool operator==(const address_range&, const address_range&) = default;
};

/// One line of /proc/PID/maps.
struct memory_region {
  address_range where;
  bool readable = false;
  bool writable = false;
  bool executable = false;
  bool shared = false;
  std::uint64_t file_offset = 0;
  std::uint64_t inode = 0;
  std::string path;  ///< of the file, or a name such as "[heap]"; empty for anonymous memory
};

class address_space {
 public:
  address_space() = default;
  address_space(const address_space&) = delete;
  address_space& operator=(const address_space&) = delete;
  virtual ~address_space() = default;

  /// By address, without overlaps.
  [[nodiscard]] virtual std::span<const memory_region> regions() const noexcept = 0;

  /// Reads from `address` up to the first byte that cannot be read, and returns the number of bytes.
  [[nodiscard]] virtual std::size_t read(std::uint64_t address, std::span<std::byte> buffer) const = 0;

  /// The parts of a region that have content, without pages that were never touched.
  [[nodiscard]] virtual std::vector<address_range> present(const memory_region& region) const = 0;

  /// The resident bytes of each region, in their order, followed by those outside all regions.
  [[nodiscard]] virtual std::vector<std::uint64_t> resident() const;

  /// The used parts of the threads' stacks: from the stack pointer to the end of its region. Threads that are running
  /// at the moment have none.
  [[nodiscard]] virtual std::vector<address_range> stacks() const = 0;

  /// An object at an address; nullopt if it cannot be read completely.
  template <class T>
    requires std::is_trivially_copyable_v<T>
  [[nodiscard]] std::optional<T> read_object(std::uint64_t address) const {
    T object;
    if (read(address, std::as_writable_bytes(std::span(&object, 1))) != sizeof object) return std::nullopt;
    return object;
  }

  /// The region that contains the address; nullptr if there is none.
  [[nodiscard]] const memory_region* region_at(std::uint64_t address) const noexcept;
};

}  // namespace tare::inspect
