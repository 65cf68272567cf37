// The part of ONNX Runtime's C++ API that run.cpp uses, declared and not defined: enough to check that run.cpp and a
// bundle's model.h are C++. The real library: test_cpp_runner.py.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

enum OrtLoggingLevel { ORT_LOGGING_LEVEL_ERROR = 3 };
enum GraphOptimizationLevel { ORT_ENABLE_ALL = 99 };
enum OrtAllocatorType { OrtArenaAllocator = 1 };
enum OrtMemType { OrtMemTypeDefault = 0 };
struct OrtAllocator;
struct OrtMemoryInfo;
struct OrtApiBase {
  const char* (*GetVersionString)();
};
const OrtApiBase* OrtGetApiBase();

namespace Ort {
struct AllocatedFree {
  void operator()(void*) const;
};
using AllocatedStringPtr = std::unique_ptr<char, AllocatedFree>;
struct Env {
  Env(OrtLoggingLevel, const char*);
};
struct SessionOptions {
  SessionOptions& SetIntraOpNumThreads(int);
  SessionOptions& SetGraphOptimizationLevel(GraphOptimizationLevel);
};
struct RunOptions {
  explicit RunOptions(std::nullptr_t);
};
struct MemoryInfo {
  static MemoryInfo CreateCpu(OrtAllocatorType, OrtMemType);
  operator const OrtMemoryInfo*() const;
};
struct AllocatorWithDefaultOptions {
  operator OrtAllocator*() const;
};
struct Value {
  template <typename T>
  static Value CreateTensor(const OrtMemoryInfo*, T*, size_t, const int64_t*, size_t);
  template <typename T>
  const T* GetTensorData() const;
};
struct Session {
  Session(const Env&, const char*, const SessionOptions&);
  AllocatedStringPtr GetInputNameAllocated(size_t, OrtAllocator*) const;
  AllocatedStringPtr GetOutputNameAllocated(size_t, OrtAllocator*) const;
  std::vector<Value> Run(const RunOptions&, const char* const*, const Value*, size_t, const char* const*, size_t);
};
}  // namespace Ort
