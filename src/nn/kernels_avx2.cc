// The kernels on floats for AVX2 with FMA.
#include "nn/isa_kernels.h"
#include "nn/vector_attention.h"
#include "nn/vector_avx2.h"
#include "nn/vector_linear.h"
#include "nn/vector_rows.h"

namespace millrace::nn {

const IsaKernels kAvx2Kernels = {linear<Avx2>,   attention<Avx2>, add_layer_norm<Avx2>,
                                 activate<Avx2>, softmax<Avx2>,   sigmoid_all<Avx2>};

}  // namespace millrace::nn
