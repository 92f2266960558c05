#pragma once

// The ELF files in a file: one, or those of an archive.

#include "base/error.hpp"
#include "inspect/object/image.hpp"

#include <llvm/Object/Archive.h>
#include <llvm/Support/MemoryBuffer.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>

namespace tare::inspect {

/// A file that may hold several images: an archive.
class image_file {
 public:
  /// All ELF files in it. An error names the file: not an ELF file, truncated, unreadable.
  [[nodiscard]] static base::result<image_file> open(const std::filesystem::path& path);
  /// The same for a file in memory, which must stay valid. `name` is used in messages and to find files beside it.
  [[nodiscard]] static base::result<image_file> open(std::string name, std::span<const std::uint8_t> content);

  image_file(const image_file&) = delete;
  image_file& operator=(const image_file&) = delete;
  image_file(image_file&&) noexcept;
  image_file& operator=(image_file&&) noexcept;
  ~image_file();

  [[nodiscard]] std::size_t size() const noexcept { return members_; }
  [[nodiscard]] bool is_archive() const noexcept { return archive_ != nullptr; }
  /// Calls `use(image&)` for each image in turn. An image exists only during the call, so an archive of a thousand
  /// members needs the memory of one. Members that cannot be read are reported to `refuse`.
  base::result<void> for_each(const std::function<void(image&)>& use, const std::function<void(std::string)>& refuse);

 private:
  image_file();
  static base::result<image_file> open(std::string name, std::unique_ptr<llvm::MemoryBuffer> buffer);

  std::string path_;
  std::size_t members_ = 0;
  std::unique_ptr<llvm::MemoryBuffer> buffer_;
  std::unique_ptr<llvm::object::Archive> archive_;
};

}  // namespace tare::inspect
