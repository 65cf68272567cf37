// Runs the models of this bundle with ONNX Runtime's C++ library.
//
//   run FOLDER               repeats the test input with every model; exit code 1 if an output is not the expected one
//   run FOLDER INPUT [MODEL] classifies INPUT: little-endian float32 raw numbers of shape kShape, one example or several
//
// FOLDER is the bundle's. The normalisation is inside the models. Constants: model.h.

#include <onnxruntime_cxx_api.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include "model.h"

namespace {

constexpr size_t Product() {
  size_t product = 1;
  for (const int64_t length : kShape) product *= static_cast<size_t>(length);
  return product;
}

constexpr size_t kNumbers = Product();

// All numbers of a file, which must be a positive multiple of `each`.
std::vector<float> ReadFloats(const std::string& path, size_t each) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) throw std::runtime_error("cannot read " + path);
  const auto bytes = static_cast<size_t>(file.tellg());
  if (bytes == 0 || bytes % (each * sizeof(float)) != 0) {
    throw std::runtime_error(path + " has " + std::to_string(bytes) + " bytes; " + std::to_string(each * sizeof(float)) +
                             " an example are needed");
  }
  std::vector<float> values(bytes / sizeof(float));
  file.seekg(0);
  file.read(reinterpret_cast<char*>(values.data()), static_cast<std::streamsize>(values.size() * sizeof(float)));
  return values;
}

class Model {
 public:
  Model(Ort::Env& env, const std::string& path) : session_(env, path.c_str(), Options()) {}

  // kNumbers raw numbers -> one logit a class.
  std::vector<float> Logits(const float* numbers) {
    std::vector<int64_t> shape(1, 1);
    shape.insert(shape.end(), std::begin(kShape), std::end(kShape));
    auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
    auto input = Ort::Value::CreateTensor<float>(memory, const_cast<float*>(numbers), kNumbers, shape.data(), shape.size());
    Ort::AllocatorWithDefaultOptions allocator;
    const auto given = session_.GetInputNameAllocated(0, allocator);
    const auto made = session_.GetOutputNameAllocated(0, allocator);
    const char *input_name = given.get(), *output_name = made.get();
    auto output = session_.Run(Ort::RunOptions{nullptr}, &input_name, &input, 1, &output_name, 1);
    const float* first = output[0].GetTensorData<float>();
    return std::vector<float>(first, first + kClasses);
  }

 private:
  static Ort::SessionOptions Options() {
    Ort::SessionOptions options;
    options.SetIntraOpNumThreads(1);
    options.SetGraphOptimizationLevel(GraphOptimizationLevel::ORT_ENABLE_ALL);
    return options;
  }

  Ort::Session session_;
};

bool Check(Ort::Env& env, const std::string& folder, const TestedFile& tested) {
  Model model(env, folder + "/" + tested.model);
  const auto input = ReadFloats(folder + "/" + kTestInput, kNumbers);
  const size_t examples = input.size() / kNumbers;
  const auto expected = ReadFloats(folder + "/" + tested.expected, examples * kClasses);
  float worst = 0;
  bool right = true;
  std::vector<double> took_ms;
  for (size_t i = 0; i < examples; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    const auto logits = model.Logits(&input[i * kNumbers]);
    took_ms.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count());
    for (size_t c = 0; c < kClasses; ++c) {
      const float off = std::fabs(logits[c] - expected[i * kClasses + c]);
      right = right && off <= tested.tolerance;  // false for a logit that is not a number, which std::max would drop
      worst = std::max(worst, off);
    }
  }
  std::sort(took_ms.begin(), took_ms.end());
  std::printf("%s: %zu examples, largest difference %.2g, tolerance %.2g, fastest call %.3f ms\n", tested.model,
              examples, worst, tested.tolerance, took_ms.front());
  return right;
}

void Classify(Model& model, const std::vector<float>& input) {
  for (size_t i = 0; i < input.size() / kNumbers; ++i) {
    const auto logits = model.Logits(&input[i * kNumbers]);
    const auto best = std::max_element(logits.begin(), logits.end());
    double sum = 0;
    for (float value : logits) sum += std::exp(double(value) - *best);
    std::printf("%zu: %s %.1f %%\n", i, kLabels[best - logits.begin()], 100 / sum);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: run FOLDER [INPUT [MODEL]]\n");
    return 2;
  }
  try {
    Ort::Env env(ORT_LOGGING_LEVEL_ERROR, "run");
    const std::string folder = argv[1];
    if (argc > 2) {
      Model model(env, folder + "/" + (argc > 3 ? argv[3] : kShipped));
      Classify(model, ReadFloats(argv[2], kNumbers));
      return 0;
    }
    std::printf("ONNX Runtime %s; the expected output is of %s\n", OrtGetApiBase()->GetVersionString(), kMadeWith);
    bool right = true;
    for (const auto& tested : kTestedFiles) right &= Check(env, folder, tested);
    return right ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
}
