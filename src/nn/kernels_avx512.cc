// The kernels on floats for AVX-512.
#include "nn/isa_kernels.h"
#include "nn/vector_attention.h"
#include "nn/vector_avx512.h"
#include "nn/vector_linear.h"
#include "nn/vector_rows.h"

namespace millrace::nn {

const IsaKernels kAvx512Kernels = {linear<Avx512>,   attention<Avx512>, add_layer_norm<Avx512>,
                                   activate<Avx512>, softmax<Avx512>,   sigmoid_all<Avx512>};

}  // namespace millrace::nn
