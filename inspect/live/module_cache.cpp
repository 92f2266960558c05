#include "inspect/live/module_cache.hpp"

#include "inspect/coroutine/read.hpp"
#include "inspect/object/image_file.hpp"

#include <algorithm>
#include <iterator>

namespace tare::inspect {
namespace {

/// The mapped code of a process, which changes when it loads a library.
std::vector<std::pair<std::uint64_t, std::string>> mapped_code(const address_space& memory) {
  std::vector<std::pair<std::uint64_t, std::string>> code;
  for (const auto& region : memory.regions()) {
    if (region.executable && region.path.starts_with('/')) code.emplace_back(region.where.begin, region.path);
  }
  return code;
}

/// Whether rustc compiled a part of it: rustc records that in a section that strip keeps.
bool is_rust_program(const std::filesystem::path& file) {
  bool found = false;
  const auto look = [&](const image& image) {
    for (const auto comment : image.unloaded_sections_named(".comment")) found = found || comment.contains("rustc");
    // Symbols show it too: those of the standard library, which is linked into each program.
    found = found || image.function_named("rust_eh_personality") != nullptr;
  };
  if (auto opened = image_file::open(file); opened) (void)opened->for_each(look, [](const std::string&) {});
  return found;
}

}  // namespace

const std::filesystem::path& known_modules::binary_of(std::uint32_t coroutine) const {
  const auto after = std::ranges::upper_bound(binaries, coroutine, {}, &binary::first_coroutine);
  return std::prev(after)->file;
}

base::result<void> module_cache::refresh(const address_space& memory) {
  auto code = mapped_code(memory);
  if (read_ && code == code_) return {};
  read_ = false;
  known_ = {};
  const auto modules = find_modules(memory, search_, known_.notes);
  if (!modules) return std::unexpected(modules.error());
  known_.command = modules->front().name;
  // The program of a core file may not be among the files that could be read.
  const bool elsewhere = search_.entry != 0 && !modules->front().code.contains(search_.entry);
  if (elsewhere && !core_command_.empty()) known_.command = core_command_;
  bool program = true;
  for (const auto& each : *modules) {
    read(each, program);
    program = false;
  }
  known_.frames.finish();
  known_.vtables.finish();
  add_notes(*modules);
  code_ = std::move(code);
  read_ = true;
  return {};
}

void module_cache::add_notes(std::span<const module> modules) {
  auto& notes = known_.notes;
  if (known_.coroutines.empty() && !options_.rust &&
      std::ranges::any_of(modules, [](const module& each) { return is_rust_program(each.file); })) {
    notes.emplace_back("it runs code written in Rust: --rust shows the futures that it holds in boxes");
  } else if (known_.coroutines.empty() && notes.empty()) {
    notes.emplace_back("the process contains no coroutines");
  }
  if (!options_.rust) return;
  notes.emplace_back(known_.vtables.empty()
                         ? "--rust: the program is not known to have a dyn Future: build it with -g "
                           "(debug = true for cargo)"
                         : "--rust is an experiment: it sees futures that are held as Box<dyn "
                           "Future>; not those that a task holds by value, as tokio::spawn's do, nor "
                           "those in other futures or on stacks");
}

void module_cache::read(const module& module, bool program) {
  read_options how;
  how.debug_folders = options_.debug_folders;
  how.liveness = false;
  how.await_tables = true;
  how.rust = options_.rust;
  how.future_vtables = options_.rust;
  auto report = read_coroutines(module.file, how);
  if (!report) {
    if (program) known_.notes.push_back(report.error().message);
    return;
  }
  // Problems of libraries without coroutines are not reported.
  if (program || !report->coroutines.empty()) {
    for (auto& note : report->notes) known_.notes.push_back(std::move(note));
  }
  for (const auto address : report->arenas) known_.arenas.push_back(module.load_bias + address);
  for (auto& subject : report->coroutines) subject.image = module.name;
  known_.binaries.push_back(
      {.first_coroutine = static_cast<std::uint32_t>(known_.coroutines.size()), .file = module.file});
  known_.frames.add(report->coroutines, static_cast<std::uint32_t>(known_.coroutines.size()), module.load_bias);
  known_.vtables.add(report->vtables, static_cast<std::uint32_t>(known_.coroutines.size()), module.load_bias);
  std::ranges::move(report->coroutines, std::back_inserter(known_.coroutines));
}

}  // namespace tare::inspect
