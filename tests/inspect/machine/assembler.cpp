#include "tests/inspect/machine/assembler.hpp"

#include "support/temporary_folder.hpp"

#include <llvm/Object/ObjectFile.h>
#include <llvm/Support/MemoryBuffer.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace machine_test {
namespace {

std::vector<std::uint8_t> object_content(const std::string& source) {
  const support::temporary_folder folder;
  const auto text = folder.path() / "source.s";
  const auto object = folder.path() / "source.o";
  std::ofstream(text) << ".intel_syntax noprefix\n" << source << "\n";
  const std::string command = std::string(TARE_LLVM_MC) + " --triple=x86_64-linux-gnu --filetype=obj -o " +
                              object.string() + " " + text.string();
  // NOLINTNEXTLINE(bugprone-command-processor,concurrency-mt-unsafe): of our own words, in the only thread
  if (std::system(command.c_str()) != 0) return {};
  std::ifstream file(object, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

std::vector<std::uint8_t> assemble(const std::vector<std::string>& instructions) {
  std::string source;
  for (const auto& each : instructions) source += each + "\n";
  const auto object = assemble_object(source);
  if (!object.code) return {};
  const auto sections = object.code->sections_named(".text");
  if (sections.size() != 1) return {};
  return {sections.front().content.begin(), sections.front().content.end()};
}

object_file assemble_object(const std::string& source) {
  object_file made{.content = object_content(source), .code = nullptr};
  if (made.content.empty()) return made;
  const llvm::StringRef bytes(reinterpret_cast<const char*>(made.content.data()), made.content.size());
  auto file = llvm::object::ObjectFile::createELFObjectFile(llvm::MemoryBufferRef(bytes, "source.o"));
  if (!file) throw std::runtime_error(llvm::toString(file.takeError()));
  made.code = std::make_unique<tare::inspect::image>("source.o", std::move(*file));
  return made;
}

const object_file& empty_object() {
  static const object_file object = assemble_object("ret");
  return object;
}

}  // namespace machine_test
