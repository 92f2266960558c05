#pragma once

#include <string_view>

namespace tare::cli {

/// One line on standard error that is overwritten as work goes on; nothing at all where that is not a terminal.
class progress {
 public:
  progress();
  progress(const progress&) = delete;
  progress& operator=(const progress&) = delete;
  ~progress() { clear(); }

  void show(std::string_view line);
  void clear();

 private:
  bool terminal_;
  bool shown_ = false;
};

}  // namespace tare::cli
