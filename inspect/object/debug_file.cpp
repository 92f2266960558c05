#include "inspect/object/debug_file.hpp"

#include "inspect/object/sections.hpp"

#include <fmt/format.h>
#include <llvm/ADT/StringExtras.h>
#include <llvm/Support/CRC.h>
#include <llvm/Support/MemoryBuffer.h>

#include <cstdint>
#include <cstring>
#include <optional>
#include <system_error>

namespace tare::inspect {
namespace {

namespace fs = std::filesystem;

struct debug_link {
  std::string name;
  std::uint32_t checksum = 0;
};

std::optional<debug_link> read_debug_link(const llvm::object::ObjectFile& file) {
  const auto content = section_named(file, ".gnu_debuglink");
  if (!content) return std::nullopt;
  const std::size_t end = content->find('\0');
  if (end == llvm::StringRef::npos || end == 0) return std::nullopt;
  const std::size_t index = (end + 4) / 4 * 4;
  if (index + 4 > content->size()) return std::nullopt;
  debug_link link{.name = content->substr(0, end).str()};
  std::memcpy(&link.checksum, content->data() + index, sizeof link.checksum);
  // Only a name, so that it cannot lead out of the searched folders.
  if (link.name.contains('/')) return std::nullopt;
  return link;
}

bool has_checksum(const fs::path& place, std::uint32_t checksum) {
  const auto content = llvm::MemoryBuffer::getFile(place.string(), false, false);
  return content && llvm::crc32(llvm::arrayRefFromStringRef((*content)->getBuffer())) == checksum;
}

}  // namespace

debug_file_places find_debug_files(const std::string& binary, const llvm::object::ObjectFile& file,
                                   std::span<const fs::path> folders) {
  debug_file_places found;
  std::error_code ignored;
  std::vector<fs::path> roots(folders.begin(), folders.end());
  roots.emplace_back("/usr/lib/debug");
  if (const std::string id = build_id_of(file); !id.empty()) {
    for (const auto& root : roots) {
      fs::path place = root / ".build-id" / id.substr(0, 2) / (id.substr(2) + ".debug");
      if (fs::is_regular_file(place, ignored)) found.places.push_back(std::move(place));
    }
  }
  const auto link = read_debug_link(file);
  if (!link) return found;
  const fs::path folder = fs::path(binary).parent_path();
  std::vector<fs::path> named{folder / link->name, folder / ".debug" / link->name};
  for (const auto& root : roots) {
    named.push_back(root / link->name);
    named.push_back(root / fs::absolute(folder, ignored).relative_path() / link->name);
  }
  for (auto& place : named) {
    if (!fs::is_regular_file(place, ignored) || fs::equivalent(place, binary, ignored)) continue;
    if (has_checksum(place, link->checksum)) {
      found.places.push_back(std::move(place));
    } else {
      found.problems.push_back(fmt::format("{} is not the debug information of {}", place.string(), binary));
    }
  }
  return found;
}

}  // namespace tare::inspect
