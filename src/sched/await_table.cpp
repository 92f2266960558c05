#include <tare/await_table.hpp>

#include <algorithm>
#include <bit>
#include <tuple>
#include <utility>

namespace tare {

using abi::await_section;

std::expected<void, std::string> await_table::add(std::string section, std::string_view build_id,
                                                  std::uintptr_t load_bias) {
  auto added = std::make_unique<module>(std::move(section), await_section());
  auto read = await_section::read(added->text);
  if (!read) return std::unexpected(std::move(read.error()));
  if (read->build_id != build_id) return std::unexpected("it was made for another build");
  added->section = std::move(*read);
  std::vector<entry> all = entries_;
  for (const auto& each : added->section.coroutines) {
    if (each.resume != 0) all.push_back({.resume = each.resume + load_bias, .in = added.get(), .coroutine = &each});
  }
  // A linker may have merged identical functions; the merged function has the first of their names.
  std::ranges::sort(all, {}, [](const entry& one) { return std::pair(one.resume, one.coroutine->name); });
  const auto same = std::ranges::unique(all, {}, &entry::resume);
  all.erase(same.begin(), same.end());
  modules_.push_back(std::move(added));
  entries_ = std::move(all);
  return {};
}

const await_table::entry* await_table::entry_of(const void* resume) const noexcept {
  const auto address = std::bit_cast<std::uintptr_t>(resume);
  const auto found = std::ranges::lower_bound(entries_, address, {}, &entry::resume);
  return found == entries_.end() || found->resume != address ? nullptr : &*found;
}

const await_section::coroutine* await_table::find(const void* resume) const noexcept {
  const entry* const found = entry_of(resume);
  return found == nullptr ? nullptr : found->coroutine;
}

std::optional<suspension_point> await_table::place(const void* resume,
                                                   std::optional<std::uint32_t> suspend_index) const noexcept {
  const entry* const found = entry_of(resume);
  if (found == nullptr) return std::nullopt;
  const await_section& section = found->in->section;
  const auto& of = *found->coroutine;
  suspension_point point{.function = of.name, .file = {}, .line = of.line, .is_await = false};
  std::uint32_t file = of.file;
  // A compiler omits the index if there is only one suspension point.
  const bool only_one = !suspend_index && of.index_bytes == 0 && of.places == 1;
  const auto* const at = only_one        ? &section.all_places[of.first_place]
                         : suspend_index ? section.place_at(of, *suspend_index)
                                         : nullptr;
  if (at != nullptr && at->line != 0) {
    point.line = at->line;
    point.is_await = at->kind == 'b';
    file = at->file;
  }
  if (point.line != 0) point.file = section.files[file];
  return point;
}

std::vector<suspension_point> await_table::awaits() const {
  std::vector<suspension_point> all;
  for (const entry& each : entries_) {
    const await_section& section = each.in->section;
    for (std::uint32_t i = 0; i < each.coroutine->places; ++i) {
      const auto& at = section.all_places[each.coroutine->first_place + i];
      if (at.kind != 'b' || at.line == 0) continue;
      all.push_back(
          {.function = each.coroutine->name, .file = section.files[at.file], .line = at.line, .is_await = true});
    }
  }
  std::ranges::sort(all, {},
                    [](const suspension_point& point) { return std::tie(point.file, point.line, point.function); });
  return all;
}

}  // namespace tare
