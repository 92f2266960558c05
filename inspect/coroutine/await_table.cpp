#include "inspect/coroutine/await_table.hpp"

#include <tare/abi/await_section.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <tuple>
#include <unordered_map>

namespace tare::inspect {
namespace {

using abi::await_section;

char letter_of(suspension kind) {
  switch (kind) {
    case suspension::initial:
      return 's';
    case suspension::await:
      return 'b';
    case suspension::final:
      return 'e';
  }
  return 'b';
}

suspension kind_of(char letter) {
  return letter == 's' ? suspension::initial : letter == 'e' ? suspension::final : suspension::await;
}

/// The text on one line: control characters become spaces.
std::string one_line(std::string_view text) {
  std::string line(text);
  std::ranges::replace_if(line, [](char c) { return static_cast<unsigned char>(c) < ' '; }, ' ');
  return line;
}

/// Numbers the source files, and writes their lines before they are used.
class text_of_table {
 public:
  explicit text_of_table(std::string_view build_id) {
    text_ = fmt::format("{}{}\nbuild {}\n", await_section::title, await_section::version, build_id);
  }

  void add(const coroutine& coroutine) {
    const std::uint32_t declared = file(coroutine.declared);
    for (const auto& await : coroutine.awaits) (void)file(await.where);
    fmt::format_to(std::back_inserter(text_), "c {:x} {:x} {:x} {} {} {} {} {} {} {} {}\n", coroutine.resume_address,
                   coroutine.destroy_address, coroutine.cleanup_address, coroutine.made_by == producer::gcc ? 'g' : 'c',
                   coroutine.frame_bytes.value_or(0), coroutine.allocated_bytes.value_or(0),
                   coroutine.index_offset.value_or(0), coroutine.index_offset ? coroutine.index_bytes : 0, declared,
                   coroutine.declared.line, coroutine.name.empty() ? "?" : one_line(coroutine.name));
    for (const auto& await : coroutine.awaits) {
      fmt::format_to(std::back_inserter(text_), "a {} {} {} {}\n", await.index, letter_of(await.kind),
                     file(await.where), await.where.line);
    }
  }

  std::string take() { return std::move(text_) + "end\n"; }

 private:
  std::uint32_t file(const source_line& where) {
    if (where.line == 0) return 0;
    const auto [known, added] = files_.emplace(one_line(where.file), static_cast<std::uint32_t>(files_.size()));
    if (added) fmt::format_to(std::back_inserter(text_), "f {}\n", known->first);
    return known->second;
  }

  std::string text_;
  std::unordered_map<std::string, std::uint32_t> files_;
};

bool is_of_use(const coroutine& coroutine) {
  if (coroutine.made_by == producer::rustc || coroutine.resume_address == 0 || !coroutine.frame_bytes ||
      coroutine.awaits.empty())
    return false;
  return !coroutine.index_offset || await_section::can_be_read(*coroutine.index_offset, coroutine.index_bytes);
}

}  // namespace

std::string await_table_text(std::span<const coroutine> coroutines, std::string_view build_id) {
  std::vector<const coroutine*> all;
  for (const auto& each : coroutines) {
    if (is_of_use(each)) all.push_back(&each);
  }
  std::ranges::sort(all, [](const coroutine* a, const coroutine* b) {
    return std::tie(a->resume_address, a->name, a) < std::tie(b->resume_address, b->name, b);
  });
  text_of_table text(build_id);
  for (const auto* each : all) text.add(*each);
  return text.take();
}

base::result<std::vector<coroutine>> parse_await_table(std::string_view section, std::string_view build_id) {
  const auto table = await_section::read(section);
  if (!table) return base::input_error(table.error());
  if (table->build_id != build_id) return base::input_error("it was made for another build");
  const auto source = [&](std::uint32_t file, std::uint32_t line) -> source_line {
    if (line == 0) return {};
    return {.file = std::string(table->files[file]), .line = line};
  };
  std::vector<coroutine> all;
  all.reserve(table->coroutines.size());
  for (const auto& from : table->coroutines) {
    auto& current = all.emplace_back();
    current.name = current.linkage_name = from.name;
    current.declared = source(from.file, from.line);
    current.made_by = from.made_by == 'g' ? producer::gcc : producer::clang;
    if (from.frame_bytes != 0) current.frame_bytes = from.frame_bytes;
    if (from.allocated_bytes != 0) current.allocated_bytes = from.allocated_bytes;
    current.resume_address = from.resume;
    current.destroy_address = from.destroy;
    current.cleanup_address = from.cleanup;
    if (from.index_bytes != 0) {
      current.index_offset = from.index_offset;
      current.index_bytes = from.index_bytes;
    }
    for (const auto& place : std::span(table->all_places).subspan(from.first_place, from.places)) {
      auto& await = current.awaits.emplace_back();
      await.index = place.index;
      await.kind = kind_of(place.kind);
      await.where = source(place.file, place.line);
    }
  }
  return all;
}

}  // namespace tare::inspect
