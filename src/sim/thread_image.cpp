#include "sim/thread_image.hpp"

#include "sim/sanitized.hpp"

#include <cxxabi.h>
#include <link.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <utility>

namespace tare::sim::detail {

namespace {

struct program_variables {
  std::byte* place = nullptr;  ///< of this thread
  std::size_t bytes = 0;
  const std::byte* initial = nullptr;
  std::size_t initial_bytes = 0;
};

int find_variables(dl_phdr_info* of, std::size_t /*size*/, void* into) {
  auto& found = *static_cast<program_variables*>(into);
  for (std::size_t i = 0; i < of->dlpi_phnum; ++i) {
    const auto& header = of->dlpi_phdr[i];
    if (header.p_type != PT_TLS || of->dlpi_tls_data == nullptr) continue;
    found.place = static_cast<std::byte*>(of->dlpi_tls_data);
    found.bytes = header.p_memsz;
    // NOLINTNEXTLINE(performance-no-int-to-ptr): that is how the loader says it
    found.initial = reinterpret_cast<const std::byte*>(of->dlpi_addr + header.p_vaddr);
    found.initial_bytes = header.p_filesz;
  }
  return 1;  // the first is the program itself
}

const program_variables& variables() {
  static const program_variables found = [] {
    program_variables of;
    (void)::dl_iterate_phdr(&find_variables, &of);
    return of;
  }();
  return found;
}

std::array<void (*)(void*), PTHREAD_KEYS_MAX> destructors_of_keys{};
std::array<bool, PTHREAD_KEYS_MAX> made_late{};
bool is_early = true;

[[gnu::constructor]] void end_early() { is_early = false; }

}  // namespace

void remember_key(pthread_key_t key, void (*destroy)(void*)) noexcept {
  if (key >= destructors_of_keys.size()) return;
  destructors_of_keys[key] = destroy;
  made_late[key] = !is_early;
}

bool is_of_fibers(pthread_key_t key) noexcept { return !sanitized && key < made_late.size() && made_late[key]; }

thread_image::thread_image() : variables_(variables().bytes) {
  std::copy_n(variables().initial, variables().initial_bytes, variables_.begin());
}

void thread_image::save() noexcept {
  errno_ = errno;
  std::memcpy(exceptions_.data(), ::abi::__cxa_get_globals(), exceptions_.size());
  std::copy_n(variables().place, variables_.size(), variables_.begin());
}

void thread_image::restore() const noexcept {
  std::ranges::copy(variables_, variables().place);
  std::memcpy(static_cast<void*>(::abi::__cxa_get_globals()), exceptions_.data(), exceptions_.size());
  errno = errno_;
}

void* thread_image::value_of(pthread_key_t key) const noexcept {
  const auto found = values_.find(key);
  return found == values_.end() ? nullptr : found->second;
}

void thread_image::destroy_variables() noexcept {
  while (!destructors_.empty()) {
    const destructor last = destructors_.back();
    destructors_.pop_back();
    last.destroy(last.object);
  }
  for (int round = 0; round < PTHREAD_DESTRUCTOR_ITERATIONS && !values_.empty(); ++round) destroy_values();
}

void thread_image::destroy_values() noexcept {
  const auto values = std::exchange(values_, {});
  for (const auto& [key, value] : values) {
    auto* const destroy = key < destructors_of_keys.size() ? destructors_of_keys[key] : nullptr;
    if (value != nullptr && destroy != nullptr) destroy(value);
  }
}

}  // namespace tare::sim::detail
