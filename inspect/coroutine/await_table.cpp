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

  void add(const coroutine& one) {
    const std::uint32_t declared = file(one.declared);
    for (const auto& await : one.awaits) (void)file(await.where);
    fmt::format_to(std::back_inserter(text_), "c {:x} {:x} {:x} {} {} {} {} {} {} {} {}\n", one.resume_address,
                   one.destroy_address, one.cleanup_address, one.made_by == producer::gcc ? 'g' : 'c',
                   one.frame_bytes.value_or(0), one.allocated_bytes.value_or(0), one.index_offset.value_or(0),
                   one.index_offset ? one.index_bytes : 0, declared, one.declared.line,
                   one.name.empty() ? "?" : one_line(one.name));
    for (const auto& await : one.awaits) {
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

bool is_of_use(const coroutine& one) {
  if (one.made_by == producer::rustc || one.resume_address == 0 || !one.frame_bytes || one.awaits.empty()) return false;
  return !one.index_offset || await_section::can_be_read(*one.index_offset, one.index_bytes);
}

}  // namespace

std::string await_table_text(std::span<const coroutine> coroutines, std::string_view build_id) {
  std::vector<const coroutine*> all;
  for (const auto& one : coroutines) {
    if (is_of_use(one)) all.push_back(&one);
  }
  std::ranges::sort(all, [](const coroutine* a, const coroutine* b) {
    return std::tie(a->resume_address, a->name, a) < std::tie(b->resume_address, b->name, b);
  });
  text_of_table text(build_id);
  for (const auto* one : all) text.add(*one);
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
    auto& one = all.emplace_back();
    one.name = one.linkage_name = from.name;
    one.declared = source(from.file, from.line);
    one.made_by = from.made_by == 'g' ? producer::gcc : producer::clang;
    if (from.frame_bytes != 0) one.frame_bytes = from.frame_bytes;
    if (from.allocated_bytes != 0) one.allocated_bytes = from.allocated_bytes;
    one.resume_address = from.resume;
    one.destroy_address = from.destroy;
    one.cleanup_address = from.cleanup;
    if (from.index_bytes != 0) {
      one.index_offset = from.index_offset;
      one.index_bytes = from.index_bytes;
    }
    for (const auto& place : std::span(table->all_places).subspan(from.first_place, from.places)) {
      auto& await = one.awaits.emplace_back();
      await.index = place.index;
      await.kind = kind_of(place.kind);
      await.where = source(place.file, place.line);
    }
  }
  return all;
}

}  // namespace tare::inspect
