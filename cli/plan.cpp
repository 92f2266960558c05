#include "cli/plan.hpp"

#include "cli/error.hpp"
#include "cli/figures.hpp"
#include "cli/numbers.hpp"
#include "cli/output_file.hpp"
#include "cli/stop_request.hpp"
#include "cli/table.hpp"
#include "measure/plan/plan.hpp"
#include "measure/plan/weight_source.hpp"
#include "measure/weigh/summary.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tare::cli {
namespace {

struct options {
  std::uint64_t memory = 0;
  double reserve_percent = 10;
  double weight = 0;
  std::optional<std::uint64_t> base;
  std::string from;
  measure::weight_choice which;
  std::vector<std::string> command;
  std::vector<std::uint64_t> counts{1, 10'000};
  double time_limit = 60;
  double sockets = 0;
  double kernel_bytes = measure::kernel_bytes_per_socket;
  double rate = 0;
  double rate_per_task = 0;
  double latency_ms = 0;
  double in_flight = 0;
  std::optional<double> responding;
  std::uint64_t buffer = 0;
  std::uint64_t waiting = 0;
  std::optional<std::uint64_t> descriptors;
  std::optional<std::uint64_t> predict;
  std::string json;
};

/// The limit that programs started from here have.
std::uint64_t usual_descriptors() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_max == RLIM_INFINITY) return 0;
  return limit.rlim_max;
}

base::result<measure::task_weight> weigh_now(const options& asked) {
  stop_request stop;
  const auto limit =
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(asked.time_limit));
  const measure::weighing what{.program = {asked.command, {}}, .counts = asked.counts, .time_limit = limit};
  const auto weighed = measure::weigh(what, stop.signal());
  if (weighed.failed) return std::unexpected(*weighed.failed);
  const auto weight =
      measure::slope_between(std::vector<measure::series>{weighed.samples}, asked.counts.front(), asked.counts.back());
  if (!weight) return base::input_error("--n needs two numbers of tasks");
  const auto& first = weighed.samples.front();
  const double tasks = weight->median * static_cast<double>(first.n);
  return measure::task_weight{.bytes = weight->median,
                              .base_bytes = std::max(0.0, static_cast<double>(first.held.resident) - tasks),
                              .source = fmt::format("'{}', weighed now", what.program.text())};
}

base::result<measure::task_weight> find_weight(const options& asked) {
  auto found = asked.weight > 0      ? base::result<measure::task_weight>(measure::task_weight{
                                           .bytes = asked.weight, .base_bytes = 0, .source = "--weight"})
               : !asked.from.empty() ? measure::read_weight(asked.from, asked.which)
                                     : weigh_now(asked);
  if (found && asked.base) found->base_bytes = static_cast<double>(*asked.base);
  return found;
}

std::string share(double bytes, double of) { return fmt::format("{:.0f} %", of > 0 ? bytes / of * 100 : 0); }

std::string memory_table(const measure::memory_shares& shares) {
  table rows({"memory for", "bytes", "share"}, 1);
  const std::pair<std::string_view, double> parts[] = {
      {"the program itself", shares.base},        {"tasks", shares.tasks},
      {"requests that wait", shares.waiting},     {"requests that read or respond", shares.buffers},
      {"sockets, in the kernel", shares.sockets}, {"page tables", shares.page_tables}};
  for (const auto& [name, bytes] : parts) {
    if (bytes >= 1)
      rows.add({std::string(name), megabytes(static_cast<std::uint64_t>(bytes)), share(bytes, shares.total())});
  }
  rows.add({"all", megabytes(static_cast<std::uint64_t>(shares.total())), ""});
  return rows.text();
}

std::string text_of(const measure::plan_request& asked, const measure::plan_answer& answer) {
  std::string text = fmt::format("{} tasks fit, limited by {}.\n", with_commas(answer.tasks),
                                 answer.limit == measure::limited_by::descriptors ? "file descriptors" : "memory");
  text += fmt::format("A task takes {} bytes ({}).\n\n", per_task(asked.task.bytes), asked.task.source);
  table limits({"limit", "allows"}, 1);
  limits.add({fmt::format("{} less {:.0f} %", megabytes(asked.memory), asked.reserve * 100),
              with_commas(answer.by_memory) + " tasks"});
  if (answer.by_descriptors) {
    limits.add({fmt::format("{} file descriptors", with_commas(asked.descriptors)),
                with_commas(*answer.by_descriptors) + " tasks"});
  }
  text += limits.text() + "\n" + memory_table(answer.shares);
  if (answer.in_flight > 0) {
    text += fmt::format("\nRequests in flight: {:.0f}", answer.in_flight);
    text +=
        answer.responding < answer.in_flight ? fmt::format(", {:.0f} of them responding\n", answer.responding) : "\n";
  }
  text += "\nTo keep it so:\n";
  text += fmt::format("  runtime_options::frame_limit = {};\n", answer.frame_limit);
  if (answer.buffer_budget > 0) text += fmt::format("  byte_budget in_flight({});\n", answer.buffer_budget);
  if (asked.sockets > 0) text += fmt::format("  ulimit -n {}\n", answer.open_files);
  return text;
}

nlohmann::ordered_json json_of(const measure::memory_shares& shares) {
  return {{"base_bytes", shares.base},           {"task_bytes", shares.tasks},
          {"waiting_bytes", shares.waiting},     {"buffer_bytes", shares.buffers},
          {"socket_bytes", shares.sockets},      {"page_table_bytes", shares.page_tables},
          {"resident_bytes", shares.resident()}, {"total_bytes", shares.total()}};
}

std::string written(const nlohmann::ordered_json& all) {
  return all.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + '\n';
}

nlohmann::ordered_json head_of(const measure::plan_request& asked) {
  return {{"kind", "tare plan"},
          {"schema", 1},
          {"weight_bytes", asked.task.bytes},
          {"base_bytes", asked.task.base_bytes},
          {"source", asked.task.source}};
}

std::string json_of(const measure::plan_request& asked, std::uint64_t predicted, const measure::memory_shares& shares) {
  nlohmann::ordered_json all = head_of(asked);
  all.update({{"predicted_tasks", predicted}, {"memory", json_of(shares)}});
  return written(all);
}

std::string json_of(const measure::plan_request& asked, const measure::plan_answer& answer) {
  nlohmann::ordered_json all = head_of(asked);
  all.update({{"tasks", answer.tasks},
              {"limited_by", answer.limit == measure::limited_by::descriptors ? "descriptors" : "memory"},
              {"tasks_by_memory", answer.by_memory},
              {"tasks_by_descriptors",
               answer.by_descriptors ? nlohmann::ordered_json(*answer.by_descriptors) : nlohmann::ordered_json()},
              {"requests_in_flight", answer.in_flight},
              {"requests_responding", answer.responding},
              {"memory", json_of(answer.shares)},
              {"settings",
               {{"frame_limit", answer.frame_limit},
                {"buffer_budget", answer.buffer_budget},
                {"open_files", answer.open_files}}}});
  return written(all);
}

int run(const options& asked) {
  const int sources = (asked.weight > 0 ? 1 : 0) + (asked.from.empty() ? 0 : 1) + (asked.command.empty() ? 0 : 1);
  if (sources != 1) {
    return complain(base::error{base::fault::input,
                                "plan needs the weight of a task: one of --weight, --from FILE, or a command after "
                                "--; see tare plan --help"});
  }
  if (!asked.command.empty() && !measure::command{asked.command, {}}.takes_count()) {
    return complain(base::error{base::fault::input, "the command has no {n} where the number of tasks goes"});
  }
  const auto weight = find_weight(asked);
  if (!weight) return complain(weight.error());
  constexpr double percent = 100;
  constexpr double milli = 1000;
  const measure::plan_request request{.task = *weight,
                                      .memory = asked.memory,
                                      .reserve = asked.reserve_percent / percent,
                                      .sockets = asked.sockets,
                                      .kernel_bytes = asked.kernel_bytes,
                                      .rate = asked.rate,
                                      .rate_per_task = asked.rate_per_task,
                                      .latency = asked.latency_ms / milli,
                                      .in_flight = asked.in_flight,
                                      .max_responding = asked.responding.value_or(measure::infinite),
                                      .buffer_bytes = static_cast<double>(asked.buffer),
                                      .waiting_bytes = static_cast<double>(asked.waiting),
                                      .descriptors = asked.descriptors.value_or(usual_descriptors())};
  const auto answer = measure::plan(request);
  if (!answer) return complain(answer.error());

  auto screen = output_file::standard_output();
  auto opened = output_file::open_if_named(asked.json);
  if (!opened) return complain(opened.error());
  auto& json = *opened;
  int status = done;
  const auto write = [&](output_file& to, const std::string& text) {
    if (const auto written = to.write(text); !written) status = complain(written.error());
  };
  std::string text;
  std::string figures;
  if (asked.predict) {
    const auto shares = measure::shares_at(request, static_cast<double>(*asked.predict));
    text = fmt::format("{} tasks take {} of resident memory, {} with the kernel's.\n\n{}", with_commas(*asked.predict),
                       megabytes(static_cast<std::uint64_t>(shares.resident())),
                       megabytes(static_cast<std::uint64_t>(shares.total())), memory_table(shares));
    figures = json_of(request, *asked.predict, shares);
  } else {
    text = text_of(request, *answer);
    figures = json_of(request, *answer);
  }
  if (!json || !json->is_standard_output()) write(screen, text);
  if (json) write(*json, figures);
  return finish_output(status);
}

}  // namespace

std::function<int()> add_plan(CLI::App& app) {
  CLI::App* plan = app.add_subcommand("plan", "Tell how many tasks or connections fit into a machine");
  plan->footer(
      "Usage:  tare plan --memory SIZE --weight BYTES [OPTIONS]\n"
      "        tare plan --memory SIZE --from FILE [--program NAME] [--workload NAME] [OPTIONS]\n"
      "        tare plan --memory SIZE [OPTIONS] -- COMMAND... {n}\n\n"
      "FILE is what tare weigh --json or tare race has written. Sizes may end in K, M, G, in powers of 1024.");
  auto asked = std::make_shared<options>();
  plan->add_option("--memory", asked->memory, "Memory of the machine or the container")
      ->required()
      ->transform(CLI::AsSizeValue(false));
  plan->add_option("--reserve", asked->reserve_percent, "Percent of it to keep free")
      ->check(CLI::Range(0.0, 99.0))
      ->capture_default_str();
  plan->add_option("--weight", asked->weight, "Bytes of one task, as tare weigh has found it")
      ->check(CLI::PositiveNumber);
  plan->add_option("--base", asked->base, "Bytes of the program without tasks [as weighed, or 0]")
      ->transform(CLI::AsSizeValue(false));
  auto* from = plan->add_option("--from", asked->from, "Take the weight from this results file");
  plan->add_option("--program", asked->which.program, "Which program of it")->needs(from);
  plan->add_option("--workload", asked->which.workload, "Which workload of a race")->needs(from)->capture_default_str();
  plan->add_option("--n", asked->counts, "Numbers of tasks to weigh the command with")
      ->delimiter(',')
      ->check(a_count())
      ->allow_extra_args(false)
      ->capture_default_str();
  plan->add_option("--timeout", asked->time_limit, "Seconds to wait for its READY")
      ->check(a_time_limit())
      ->capture_default_str();
  plan->add_option("--sockets", asked->sockets, "Sockets of each task; 1 for a connection")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  plan->add_option("--kernel-bytes", asked->kernel_bytes, "What the kernel holds for an idle socket")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  plan->add_option("--rate", asked->rate, "Requests a second, of all together")->check(CLI::NonNegativeNumber);
  plan->add_option("--rate-per-task", asked->rate_per_task, "Requests a second, of each task")
      ->check(CLI::NonNegativeNumber);
  plan->add_option("--latency", asked->latency_ms, "Milliseconds that a request takes")->check(CLI::NonNegativeNumber);
  plan->add_option("--in-flight", asked->in_flight, "Requests in flight [rate times latency]")
      ->check(CLI::NonNegativeNumber);
  plan->add_option("--responding", asked->responding, "At most so many of them hold a buffer; the others wait [all]")
      ->check(CLI::NonNegativeNumber);
  plan->add_option("--buffer", asked->buffer, "Bytes that a request holds while it reads its body or responds")
      ->transform(CLI::AsSizeValue(false));
  plan->add_option("--waiting", asked->waiting, "Bytes that a request holds while it waits")
      ->transform(CLI::AsSizeValue(false));
  plan->add_option("--descriptors", asked->descriptors, "Files that the process may open [as ulimit -Hn has it]");
  plan->add_option("--predict", asked->predict, "Tell instead what so many tasks take")->check(a_count());
  plan->add_option("--json", asked->json, "Write the answer to this file; - is standard output");
  plan->add_option("command", asked->command, "A program to weigh, and its arguments, after --");
  return [asked] {
    std::ranges::sort(asked->counts);
    return run(*asked);
  };
}

}  // namespace tare::cli
