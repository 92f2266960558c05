#pragma once

#include "base/error.hpp"
#include "inspect/memory/address_space.hpp"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace llvm {
class MemoryBuffer;  // NOLINT(readability-identifier-naming): LLVM's
}

namespace tare::inspect {

/// The part of a process's memory that a core file contains. The file is mapped, not read.
class core_file final : public address_space {
 public:
  /// The error is one line: unreadable, not a core file, of another kind of machine, without memory. Of a truncated
  /// core file the existing part is read, and `is_truncated` returns true.
  [[nodiscard]] static base::result<std::unique_ptr<core_file>> open(const std::filesystem::path& path);
  /// The same for a file in memory, which must stay valid; `name` is used in messages.
  [[nodiscard]] static base::result<std::unique_ptr<core_file>> open(const std::string& name,
                                                                     std::span<const std::uint8_t> content);
  core_file(const core_file&) = delete;
  core_file& operator=(const core_file&) = delete;
  ~core_file() override;

  [[nodiscard]] std::span<const memory_region> regions() const noexcept override { return regions_; }
  [[nodiscard]] std::size_t read(std::uint64_t address, std::span<std::byte> buffer) const override;
  [[nodiscard]] std::vector<address_range> present(const memory_region& region) const override;
  [[nodiscard]] std::vector<address_range> stacks() const override;

  [[nodiscard]] bool is_truncated() const noexcept { return truncated_; }
  [[nodiscard]] std::int64_t pid() const noexcept { return pid_; }
  /// The process's name, as the kernel keeps it: at most 15 characters.
  [[nodiscard]] const std::string& command() const noexcept { return command_; }
  /// The entry address of the program (AT_ENTRY); 0 if the file does not contain it.
  [[nodiscard]] std::uint64_t entry() const noexcept { return entry_; }
  /// The number of bytes of memory in it.
  [[nodiscard]] std::uint64_t bytes() const noexcept;

 private:
  struct segment {
    std::uint64_t address = 0;
    std::span<const std::uint8_t> content;  ///< as far as it is in the file
  };
  core_file();
  static base::result<std::unique_ptr<core_file>> open(const std::string& name,
                                                       std::unique_ptr<llvm::MemoryBuffer> buffer);
  void read_notes(std::span<const std::uint8_t> notes);
  void name_regions();
  void add_left_out_regions();
  void name_files(std::span<const std::uint8_t> list);

  std::unique_ptr<llvm::MemoryBuffer> buffer_;
  std::vector<memory_region> regions_;
  std::vector<segment> segments_;  ///< by address
  std::vector<std::uint64_t> stack_pointers_;
  std::vector<memory_region> files_;
  std::int64_t pid_ = 0;
  std::string command_;
  std::uint64_t entry_ = 0;
  bool truncated_ = false;
};

}  // namespace tare::inspect
