#include "inspect/object/image_file.hpp"

#include "inspect/object/damage.hpp"

#include <fmt/format.h>
#include <llvm/Object/ELFObjectFile.h>

#include <system_error>
#include <utility>

namespace tare::inspect {

namespace fs = std::filesystem;
namespace object = llvm::object;

namespace {

bool is_elf(llvm::StringRef content) {
  return content.starts_with(
      "\x7f"
      "ELF");
}

base::result<std::unique_ptr<image>> open_image(const std::string& name, llvm::MemoryBufferRef content) {
  auto file = object::ObjectFile::createELFObjectFile(content);
  if (!file) {
    return base::input_error(fmt::format("{} is truncated or damaged: {}", name, llvm::toString(file.takeError())));
  }
  const auto* elf = llvm::dyn_cast<object::ELFObjectFileBase>(file->get());
  if (elf == nullptr) return base::input_error(fmt::format("{} is not an ELF file", name));
  if (elf->getBytesInAddress() != 8 || !elf->isLittleEndian()) {
    return base::input_error(fmt::format("{} is for {}: only 64-bit little-endian programs can be read", name,
                                         elf->getFileFormatName().str()));
  }
  // A truncated file keeps its header but loses the table of sections, which is at its end.
  if (elf->sections().empty()) {
    return base::input_error(fmt::format("{} is truncated or damaged: it has no sections", name));
  }
  if (const auto damage = damage_of(*elf)) {
    return base::input_error(fmt::format("{} is truncated or damaged: {}", name, *damage));
  }
  return std::make_unique<image>(name, std::move(*file));
}

}  // namespace

image_file::image_file() = default;
image_file::image_file(image_file&&) noexcept = default;
image_file& image_file::operator=(image_file&&) noexcept = default;
image_file::~image_file() = default;

base::result<image_file> image_file::open(const fs::path& path) {
  std::error_code failed;
  const auto status = fs::status(path, failed);
  if (fs::is_directory(status)) return base::input_error(fmt::format("{} is a folder, not a binary", path.string()));
  if (fs::exists(status) && !fs::is_regular_file(status)) {
    return base::input_error(fmt::format("{} is not a regular file", path.string()));
  }
  auto buffer = llvm::MemoryBuffer::getFile(path.string(), false, false);
  if (!buffer) return base::system_error(fmt::format("cannot read {}", path.string()), buffer.getError().value());
  return open(path.string(), std::move(*buffer));
}

base::result<image_file> image_file::open(std::string name, std::span<const std::uint8_t> content) {
  const llvm::StringRef bytes(reinterpret_cast<const char*>(content.data()), content.size());
  auto buffer = llvm::MemoryBuffer::getMemBuffer(bytes, name, /*RequiresNullTerminator=*/false);
  return open(std::move(name), std::move(buffer));
}

base::result<image_file> image_file::open(std::string name, std::unique_ptr<llvm::MemoryBuffer> buffer) {
  const fs::path path = name;
  image_file opened;
  opened.path_ = std::move(name);
  opened.buffer_ = std::move(buffer);
  const llvm::StringRef content = opened.buffer_->getBuffer();
  if (content.starts_with("!<arch>\n") || content.starts_with("!<thin>\n")) {
    auto archive = object::Archive::create(opened.buffer_->getMemBufferRef());
    if (!archive) {
      return base::input_error(
          fmt::format("{}: damaged archive: {}", path.string(), llvm::toString(archive.takeError())));
    }
    opened.archive_ = std::move(*archive);
    return opened;
  }
  if (!is_elf(content)) {
    return base::input_error(fmt::format("{} is not an ELF file", path.string()));
  }
  opened.members_ = 1;
  return opened;
}

base::result<void> image_file::for_each(const std::function<void(image&)>& use,
                                        const std::function<void(std::string)>& refuse) {
  const auto read = [&](const std::string& name, llvm::MemoryBufferRef content) -> base::result<void> {
    const auto opened = open_image(name, content);
    if (!opened) return std::unexpected(opened.error());
    use(**opened);
    return {};
  };
  if (archive_ == nullptr) return read(path_, buffer_->getMemBufferRef());
  llvm::Error damaged = llvm::Error::success();
  for (const auto& child : archive_->children(damaged)) {
    auto content = child.getMemoryBufferRef();
    if (!content) {
      refuse(fmt::format("{}: {}", path_, llvm::toString(content.takeError())));
      continue;
    }
    if (!is_elf(content->getBuffer())) continue;
    ++members_;
    const std::string member = fs::path(content->getBufferIdentifier().str()).filename().string();
    if (const auto done = read(fmt::format("{}({})", path_, member), *content); !done) refuse(done.error().message);
  }
  if (damaged) {
    return base::input_error(fmt::format("{}: damaged archive: {}", path_, llvm::toString(std::move(damaged))));
  }
  return {};
}

}  // namespace tare::inspect
