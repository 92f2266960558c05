#pragma once

// A queue in one array, which doubles when it is full and never shrinks.

#include <cstddef>
#include <utility>
#include <vector>

namespace tare::detail {

template <class T>
class ring {
 public:
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] T& front() noexcept { return (*this)[0]; }
  [[nodiscard]] T& operator[](std::size_t index) noexcept { return places_[place(index)]; }

  /// For one more element. Does nothing if it has held as many before. Throws std::bad_alloc.
  void make_room() {
    if (size_ == places_.size()) grow();
  }
  /// There must be room.
  void push_back(T&& element) noexcept {
    (*this)[size_] = std::move(element);
    ++size_;
  }
  [[nodiscard]] T pop_front() noexcept {
    T first = std::exchange(front(), T());
    first_ = place(1);
    --size_;
    return first;
  }

 private:
  [[nodiscard]] std::size_t place(std::size_t index) const noexcept { return (first_ + index) % places_.size(); }
  void grow() {
    std::vector<T> larger(size_ == 0 ? 2 : 2 * size_);
    for (std::size_t i = 0; i < size_; ++i) larger[i] = std::move((*this)[i]);
    places_.swap(larger);
    first_ = 0;
  }

  std::vector<T> places_;
  std::size_t first_ = 0;
  std::size_t size_ = 0;
};

}  // namespace tare::detail
