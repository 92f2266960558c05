#include "inspect/object/sections.hpp"

#include <fmt/format.h>
#include <llvm/Support/Error.h>

#include <cstdint>
#include <cstring>

namespace tare::inspect {

namespace object = llvm::object;

void for_each_section_named(const object::ObjectFile& file, llvm::StringRef name,
                            const std::function<void(const object::SectionRef&)>& visit) {
  for (const auto& section : file.sections()) {
    auto its_name = section.getName();
    if (!its_name) {
      llvm::consumeError(its_name.takeError());
    } else if (*its_name == name) {
      visit(section);
    }
  }
}

std::optional<llvm::StringRef> section_named(const object::ObjectFile& file, llvm::StringRef name) {
  std::optional<llvm::StringRef> found;
  for_each_section_named(file, name, [&](const object::SectionRef& section) {
    if (found) return;
    auto content = section.getContents();
    if (content) {
      found = *content;
    } else {
      llvm::consumeError(content.takeError());
    }
  });
  return found;
}

bool has_section(const object::ObjectFile& file, llvm::StringRef name) {
  const auto content = section_named(file, name);
  return content && !content->empty();
}

std::string build_id_of(const object::ObjectFile& file) {
  const auto note = section_named(file, ".note.gnu.build-id");
  // Name length, descriptor length, type, then "GNU\0" and the id.
  if (!note || note->size() < 17) return {};
  std::uint32_t bytes = 0;
  std::memcpy(&bytes, note->data() + 4, sizeof bytes);
  if (bytes < 2 || bytes > note->size() - 16) return {};
  std::string text;
  for (const char c : note->substr(16, bytes)) text += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return text;
}

}  // namespace tare::inspect
