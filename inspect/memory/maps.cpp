#include "inspect/memory/maps.hpp"

#include <algorithm>
#include <charconv>
#include <ranges>

namespace tare::inspect {
namespace {

/// Removes a number from the front; nullopt if there is none, or if `end` does not follow it.
std::optional<std::uint64_t> take_number(std::string_view& text, int base, char end) {
  std::uint64_t number = 0;
  const auto [stop, wrong] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  const auto length = static_cast<std::size_t>(stop - text.data());
  if (wrong != std::errc() || length == text.size() || text[length] != end) return std::nullopt;
  text.remove_prefix(length + 1);
  return number;
}

/// "7f0000000000-7f0000021000 rw-p 00000000 08:01 1234   /usr/lib/x"
std::optional<memory_region> parse_line(std::string_view line) {
  memory_region region;
  const auto begin = take_number(line, 16, '-');
  const auto end = begin ? take_number(line, 16, ' ') : std::nullopt;
  if (!end || *end <= *begin || line.size() < 5 || line[4] != ' ') return std::nullopt;
  region.where = {.begin = *begin, .end = *end};
  region.readable = line[0] == 'r';
  region.writable = line[1] == 'w';
  region.executable = line[2] == 'x';
  region.shared = line[3] == 's';
  line.remove_prefix(5);
  const auto offset = take_number(line, 16, ' ');
  if (!offset || !take_number(line, 16, ':') || !take_number(line, 16, ' ')) return std::nullopt;
  region.file_offset = *offset;
  const auto [inode_end, wrong] = std::from_chars(line.data(), line.data() + line.size(), region.inode);
  line.remove_prefix(static_cast<std::size_t>(inode_end - line.data()));
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  region.path = line;
  return region;
}

}  // namespace

std::vector<memory_region> parse_maps(std::string_view text) {
  std::vector<memory_region> regions;
  for (const auto line : text | std::views::split('\n')) {
    if (auto region = parse_line(std::string_view(line)); region) regions.push_back(std::move(*region));
  }
  std::ranges::sort(regions, {}, [](const memory_region& region) { return region.where.begin; });
  std::uint64_t end = 0;
  std::erase_if(regions, [&](const memory_region& region) {
    if (region.where.begin < end) return true;
    end = region.where.end;
    return false;
  });
  return regions;
}

std::vector<std::pair<std::uint64_t, std::uint64_t>> parse_resident(std::string_view text) {
  constexpr std::string_view key = "Rss:";
  constexpr std::uint64_t kilobyte = 1024;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> all;
  for (const auto part : text | std::views::split('\n')) {
    std::string_view line(part);
    if (const auto region = parse_line(line); region) {
      all.emplace_back(region->where.begin, 0);
    } else if (line.starts_with(key) && !all.empty()) {
      line.remove_prefix(key.size());
      line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
      if (const auto number = take_number(line, 10, ' '); number && *number < (std::uint64_t{1} << 50U)) {
        all.back().second = *number * kilobyte;
      }
    }
  }
  return all;
}

}  // namespace tare::inspect
